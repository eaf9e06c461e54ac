"""Colours as people see them, also those who do not see all of them."""

import math
import re

# Machado, Oliveira, Fernandes (2009), severity 1.0, for linear RGB.
BLINDNESS = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.95047, 1.0, 1.08883)


def parse(text):
    """A computed colour, "rgb(1, 2, 3)", "rgba(1, 2, 3, 0.5)" or "color(srgb 0.1 0.2 0.3 / 0.5)", as four numbers of 0 to 1."""
    kind, _, rest = text.partition("(")
    assert kind in ("rgb", "rgba") or text.startswith("color(srgb "), text
    numbers = [float(part) for part in re.findall(r"[\d.]+(?:e-?\d+)?", rest)]
    red, green, blue = (part / (255 if kind != "color" else 1) for part in numbers[:3])
    return red, green, blue, numbers[3] if len(numbers) > 3 else 1.0


def linear(part):
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def times(matrix, vector):
    return tuple(sum(a * b for a, b in zip(row, vector)) for row in matrix)


def to_lab(colour, blindness="none"):
    """CIE L*a*b* of an opaque colour, as somebody with this blindness sees it."""
    seen = times(BLINDNESS[blindness], [linear(part) for part in colour[:3]])
    xyz = times(TO_XYZ, [min(max(part, 0), 1) for part in seen])

    def curve(part):
        return part ** (1 / 3) if part > (6 / 29) ** 3 else part / (3 * (6 / 29) ** 2) + 4 / 29
    x, y, z = (curve(part / white) for part, white in zip(xyz, WHITE))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def difference(one, other, blindness="none"):
    """Delta E (CIE76): about 2 is just to be seen side by side, 10 at a glance."""
    return math.dist(to_lab(one, blindness), to_lab(other, blindness))


def contrast(one, other):
    """As WCAG 2 has it, 1 to 21."""
    def luminance(colour):
        return sum(weight * linear(part) for weight, part in zip((0.2126, 0.7152, 0.0722), colour))
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
