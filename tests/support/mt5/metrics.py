"""What /metrics says, read by the strict parsers of python3-prometheus-client."""

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families


class Metrics:
    """One scrape. Raises ValueError where the text is malformed."""

    def __init__(self, text, is_openmetrics=False):
        parse = openmetrics.text_string_to_metric_families if is_openmetrics else text_string_to_metric_families
        self.text = text
        self.is_openmetrics = is_openmetrics
        self.families = {}
        self._samples = {}
        for family in parse(text):
            if family.name in self.families:
                raise ValueError(f"the family {family.name} is there twice")
            self.families[family.name] = family
            for sample in family.samples:
                key = (self._name_in_text(sample.name), frozenset(sample.labels.items()))
                if key in self._samples:
                    raise ValueError(f"the series {sample.name}{sample.labels} is there twice")
                self._samples[key] = sample

    def _name_in_text(self, name):
        """The parser of 0.0.4 gives every counter a _total; the samples keep the name that they are shown by."""
        bare = name.removesuffix("_total")
        is_shown_bare = not self.is_openmetrics and f"\n# TYPE {bare} counter\n" in self.text
        return bare if bare != name and is_shown_bare else name

    def sample(self, name, **labels):
        """The sample of exactly these labels, or None."""
        return self._samples.get((name, frozenset(labels.items())))

    def value(self, name, **labels):
        """The value of the series of exactly these labels, or None where there is none."""
        sample = self.sample(name, **labels)
        return None if sample is None else sample.value

    def series(self, name, **labels):
        """Label dicts → values of all series of that name that carry these labels, as a list of pairs."""
        return [(dict(found), sample.value) for (sample_name, found), sample in self._samples.items()
                if sample_name == name and set(labels.items()) <= found]

    def total(self, name, **labels):
        return sum(value for _, value in self.series(name, **labels))
