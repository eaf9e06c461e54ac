/* `--name value` and `--name=value` are the same; options may stand anywhere, `--` ends them. */
#include "ctl/options.h"

#include "config/nearest.h"
#include "core/ident.h"
#include "core/state.h"
#include "ctl/command.h"
#include "ctl/duration.h"
#include "util/number.h"
#include "util/stream_id.h"
#include <stdio.h>
#include <stdlib.h>

#define URL_DEFAULT     "http://127.0.0.1:10555"
#define TIMEOUT_DEFAULT "10s" /* the daemon gives up a change after 5 */
#define TIMEOUT_MAX_MS  (24 * 3600 * 1000)
#define REASON_MAX      1024

enum option_for {
    FOR_ALL = 1,
    FOR_FILTER = 2,
    FOR_EVENTS = 4,
    FOR_REASON = 8,
    FOR_DURATION = 16,
};

static const struct command commands[] = {
    {"status", "", 0, 0, cmd_status, "the fleet and the daemon in a few lines", ""},
    {"instances", "", 0, FOR_FILTER, cmd_instances, "a line for each instance", ""},
    {"instance", "ID", 1, 0, cmd_instance, "all that is known of one", ""},
    {"why", "ID", 1, 0, cmd_why,
     "what was seen, decided and done about an instance, and what was not done and why", ""},
    {"events", "", 0, FOR_EVENTS, cmd_events, "what has happened, oldest first",
     "With -f what happens from now on follows, until Ctrl-C; over a restart of the daemon nothing is left "
     "out."},
    {"alerts", "", 0, 0, cmd_alerts, "what is wrong, and what is being done about it", ""},
    {"signals", "", 0, 0, cmd_signals, "trade signals that have not ended", ""},
    {"start", "ID", 1, FOR_REASON, cmd_command, "asks the agent to start the terminal",
     "It arms automatic recovery again."},
    {"stop", "ID", 1, FOR_REASON, cmd_command, "asks the agent to stop the terminal",
     "Nothing recovers it until it is started."},
    {"restart", "ID", 1, FOR_REASON, cmd_command, "asks the agent to restart the terminal", ""},
    {"recover", "ID", 1, FOR_REASON, cmd_command, "asks the agent to recover the terminal",
     "It arms automatic recovery again, and ends what the breaker holds back in the groups of the "
     "instance."},
    {"maintenance", "ID on|off", 2, FOR_REASON | FOR_DURATION, cmd_maintenance,
     "begins or ends maintenance: nothing is commanded, nobody is notified",
     "`on` needs --reason; without --for it lasts until it is ended."},
    {"record", "FILE", 1, 0, cmd_record, "appends reports, signals, results and events to FILE as they come",
     "One JSON object a line, until Ctrl-C. FILE may be - for standard output. All but the events need the "
     "token of an admin; without --token-file only they are written. A backtest of mt5stated reads it."},
    {"remove", "ID", 1, FOR_REASON, cmd_remove, "forgets an instance", ""},
    {"reload", "", 0, 0, cmd_reload, "reads the daemon's configuration again, as a whole or not at all", ""},
};

static const struct option_row {
    const char *name;
    char letter;
    unsigned commands;
    const char *value; /* NULL: a flag */
    size_t offset;
    const char *meaning;
} rows[] = {
    {"state", '\0', FOR_FILTER, "STATE", offsetof(struct options, state),
     "running, stopped, crashed or restarting"},
    {"health", '\0', FOR_FILTER, "HEALTH", offsetof(struct options, health), "healthy, warning or critical"},
    {"broker", '\0', FOR_FILTER, "ID", offsetof(struct options, broker), "those of one broker"},
    {"follow", 'f', FOR_EVENTS, NULL, offsetof(struct options, follow), "wait for more"},
    {"instance", '\0', FOR_EVENTS, "ID", offsetof(struct options, instance), "those of one instance"},
    {"since", '\0', FOR_EVENTS, "WHEN", offsetof(struct options, since),
     "later than an event's id, or than so long ago: 10m, 2h"},
    {"limit", '\0', FOR_EVENTS, "N", offsetof(struct options, limit), "so many at most"},
    {"reason", '\0', FOR_REASON, "TEXT", offsetof(struct options, reason),
     "why; kept in events, the log and `why`"},
    {"for", '\0', FOR_DURATION, "TIME", offsetof(struct options, duration), "how long: 45s, 30m, 1h30m, 2d"},
    {"url", '\0', FOR_ALL, "URL", offsetof(struct options, url),
     "http://HOST:PORT, https://HOST:PORT, unix:/PATH [$MT5STATED_URL, " URL_DEFAULT "]"},
    {"token-file", '\0', FOR_ALL, "FILE", offsetof(struct options, token_file),
     "whose content proves who we are [$MT5STATED_TOKEN_FILE]"},
    {"json", '\0', FOR_ALL, NULL, offsetof(struct options, json), "the API's JSON as it is"},
    {"timeout", '\0', FOR_ALL, "TIME", offsetof(struct options, timeout),
     "how long to wait for an answer [" TIMEOUT_DEFAULT "]"},
    {"help", 'h', FOR_ALL, NULL, offsetof(struct options, help),
     "this text; behind a command, more about it"},
    {"version", 'V', FOR_ALL, NULL, offsetof(struct options, version), "the version"},
};

/* ---- reading ---- */

static void suggest(struct errmsg *why, const char *what, const struct nearest *nearest)
{
    if (nearest->found)
        errmsg_set(why, "there is no %s %.*s; did you mean %s?", what, (int)nearest->word.len,
                   nearest->word.data, nearest->found);
    else
        errmsg_set(why, "there is no %s %.*s; --help lists them", what, (int)nearest->word.len,
                   nearest->word.data);
}

static const struct option_row *find_option(const char *name, size_t len, struct errmsg *why)
{
    struct nearest nearest;

    nearest_init(&nearest, slice_of(name, len));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (slice_is(slice_of(name, len), rows[i].name))
            return &rows[i];
        nearest_offer(&nearest, rows[i].name);
    }
    suggest(why, "option", &nearest);
    return NULL;
}

static const struct option_row *find_letter(char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].letter == letter)
            return &rows[i];
    }
    return NULL;
}

static const struct command *find_command(const char *name, struct errmsg *why)
{
    struct nearest nearest;

    nearest_init(&nearest, slice_text(name));
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
        nearest_offer(&nearest, commands[i].name);
    }
    suggest(why, "command", &nearest);
    return NULL;
}

/* What is read so far. */
struct reading {
    struct options options;
    unsigned used; /* bits of the rows that were given */
    char **argv;
    int argc, next;
    bool is_past_options;
    struct errmsg *why;
};

static bool set_option(struct reading *reading, const struct option_row *row, const char *value)
{
    char *at = (char *)&reading->options + row->offset;

    reading->used |= 1U << (row - rows);
    if (!row->value) {
        if (value)
            errmsg_set(reading->why, "--%s takes no value", row->name);
        *(bool *)at = true;
        return value == NULL;
    }
    if (!value && reading->next < reading->argc)
        value = reading->argv[reading->next++];
    if (!value) {
        errmsg_set(reading->why, "--%s needs a value", row->name);
        return false;
    }
    *(const char **)(void *)at = value;
    return true;
}

static bool read_option(struct reading *reading, const char *word)
{
    size_t len = strcspn(word, "=");
    const struct option_row *row;

    if (word[1] != '-') {
        row = word[2] == '\0' ? find_letter(word[1]) : NULL;
        if (!row)
            errmsg_set(reading->why, "there is no option %s; --help lists them", word);
        return row && set_option(reading, row, NULL);
    }
    row = find_option(word + 2, len - 2, reading->why);
    return row && set_option(reading, row, word[len] == '=' ? word + len + 1 : NULL);
}

static bool read_word(struct reading *reading, const char *word)
{
    struct options *options = &reading->options;

    if (!options->command && strcmp(word, "help") == 0 && !options->help) {
        options->help = true;
        return true;
    }
    if (!options->command) {
        options->command = find_command(word, reading->why);
        return options->command != NULL;
    }
    if (options->word_count >= options->command->word_count) {
        errmsg_set(reading->why, "%s: one word too many for %s", word, options->command->name);
        return false;
    }
    options->words[options->word_count++] = word;
    return true;
}

static bool read_words(struct reading *reading)
{
    while (reading->next < reading->argc) {
        const char *word = reading->argv[reading->next++];

        if (!reading->is_past_options && strcmp(word, "--") == 0) {
            reading->is_past_options = true;
            continue;
        }
        if (!reading->is_past_options && word[0] == '-' && word[1] != '\0') {
            if (!read_option(reading, word))
                return false;
        } else if (!read_word(reading, word)) {
            return false;
        }
    }
    return true;
}

/* ---- checking ---- */

static bool check_used(const struct reading *reading)
{
    const struct command *command = reading->options.command;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if ((reading->used >> i) & 1U && !(rows[i].commands & (command->options | FOR_ALL))) {
            errmsg_set(reading->why, "%s takes no --%s", command->name, rows[i].name);
            return false;
        }
    }
    return true;
}

static bool check_id(const char *what, const char *id, struct errmsg *why)
{
    if (!id || ident_is_valid(slice_text(id), IDENT_MAX))
        return true;
    errmsg_set(why, "%s: 1 to %d characters of A-Z a-z 0-9 . _ -, the first and the last a letter or a digit",
               what, IDENT_MAX);
    return false;
}

static bool check_filter(const struct options *options, struct errmsg *why)
{
    enum instance_state state;
    enum health health;

    if (options->state && !instance_state_parse(slice_text(options->state), &state)) {
        errmsg_set(why, "--state: not one of running stopped crashed restarting");
        return false;
    }
    if (options->health && !health_parse(slice_text(options->health), &health)) {
        errmsg_set(why, "--health: not one of healthy warning critical");
        return false;
    }
    return check_id("--broker", options->broker, why) && check_id("--instance", options->instance, why);
}

static bool check_numbers(struct options *options, struct errmsg *why)
{
    struct stream_id id;
    int64_t ago_ms;

    if (!duration_parse(slice_text(options->timeout), 1000, &options->timeout_ms) ||
        options->timeout_ms > TIMEOUT_MAX_MS) {
        errmsg_set(why, "--timeout: not a time such as 10s, of a day at most");
        return false;
    }
    if (options->duration && !duration_parse(slice_text(options->duration), 0, &options->duration_ms)) {
        errmsg_set(why, "--for: not a time such as 45s, 30m, 1h30m, 2d");
        return false;
    }
    if (options->limit && (!number_parse_u64(slice_text(options->limit), INT32_MAX, &options->limit_count) ||
                           !options->limit_count)) {
        errmsg_set(why, "--limit: not a number from 1 on");
        return false;
    }
    if (options->since && !stream_id_parse(slice_text(options->since), &id) &&
        !duration_parse(slice_text(options->since), 0, &ago_ms)) {
        errmsg_set(why, "--since: neither an event's id nor a time such as 10m");
        return false;
    }
    return true;
}

static bool check_maintenance(const struct options *options, struct errmsg *why)
{
    bool is_on;

    if (options->command->run != cmd_maintenance)
        return true;
    is_on = strcmp(options->words[1], "on") == 0;
    if (!is_on && strcmp(options->words[1], "off") != 0)
        errmsg_set(why, "%s: neither on nor off", options->words[1]);
    else if (is_on && (!options->reason || !*options->reason))
        errmsg_set(why, "maintenance on needs --reason");
    else if (!is_on && options->duration)
        errmsg_set(why, "maintenance off takes no --for");
    else
        return true;
    return false;
}

static bool check_words(const struct options *options, struct errmsg *why)
{
    if (options->word_count < options->command->word_count) {
        errmsg_set(why, "%s needs %s", options->command->name, options->command->words);
        return false;
    }
    if (options->reason && strlen(options->reason) > REASON_MAX) {
        errmsg_set(why, "--reason: longer than %d bytes", REASON_MAX);
        return false;
    }
    if (options->command->word_count > 0 && options->command->run != cmd_record &&
        !check_id(options->command->name, options->words[0], why))
        return false;
    return check_maintenance(options, why);
}

static const char *setting(const char *given, const char *variable, const char *fallback)
{
    const char *value = given ? given : getenv(variable);

    return value && *value ? value : fallback;
}

bool options_parse(int argc, char **argv, struct options *ret_options, struct errmsg *why)
{
    struct reading reading = {.argv = argv, .argc = argc, .next = 1, .why = why};
    struct options *options = &reading.options;
    bool is_read = read_words(&reading);

    if (is_read && !options->command && !options->help && !options->version) {
        errmsg_set(why, "what is to be done? --help lists the commands");
        is_read = false;
    }
    if (!is_read)
        return false;
    options->url = setting(options->url, "MT5STATED_URL", URL_DEFAULT);
    options->token_file = setting(options->token_file, "MT5STATED_TOKEN_FILE", "");
    options->timeout = options->timeout ? options->timeout : TIMEOUT_DEFAULT;
    if (!options->help && !options->version &&
        !(check_used(&reading) && check_filter(options, why) && check_numbers(options, why) &&
          check_words(options, why)))
        return false;
    *ret_options = *options;
    return true;
}

/* ---- help ---- */

#define HELP_COLUMNS 79

/* Prints TEXT from column AT on, wrapped at its spaces, with later lines beginning at INDENT. */
static void print_wrapped(size_t at, size_t indent, const char *text)
{
    for (bool is_first = true; *text; is_first = false) {
        size_t len = strcspn(text, " "), gap = is_first ? 0 : 1;

        if (at + gap + len > HELP_COLUMNS && at > indent) {
            (void)printf("\n%*s", (int)indent, "");
            at = indent;
            gap = 0;
        }
        (void)printf("%*s%.*s", (int)gap, "", (int)len, text);
        at += gap + len;
        text += len + (text[len] != '\0');
    }
    (void)putchar('\n');
}

/* A word and what it means. */
static void print_row(const char *left, int width, const char *meaning)
{
    int used = printf("  %-*s ", width, left);

    print_wrapped(used > 0 ? (size_t)used : 0, (size_t)width + 3, meaning);
}

static void print_options(const struct command *command, unsigned which)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char left[64];

        if (!(rows[i].commands & which) || (!command && rows[i].commands != FOR_ALL))
            continue;
        (void)snprintf(left, sizeof(left), "%s%c%s--%s%s%s", rows[i].letter ? "-" : "  ",
                       rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? ", " : " ", rows[i].name,
                       rows[i].value ? " " : "", rows[i].value ? rows[i].value : "");
        print_row(left, 24, rows[i].meaning);
    }
}

static void print_usage(const struct command *command)
{
    struct buf text = BUF_INIT;

    buf_add_format(&text, "Usage: mt5statectl %s%s%s", command->name, *command->words ? " " : "",
                   command->words);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!(rows[i].commands & command->options))
            continue;
        if (rows[i].letter)
            buf_add_format(&text, " [-%c]", rows[i].letter);
        else
            buf_add_format(&text, " [--%s %s]", rows[i].name, rows[i].value);
    }
    buf_add_text(&text, " [OPTION]...");
    print_wrapped(0, 0, buf_text(&text));
    text.len = 0;
    buf_add_format(&text, "%c%s.", command->summary[0] - 'a' + 'A', command->summary + 1);
    print_wrapped(0, 0, buf_text(&text));
    if (*command->help)
        print_wrapped(0, 0, command->help);
    (void)putchar('\n');
    buf_clear(&text);
}

void options_print_help(const struct command *command)
{
    if (command) {
        print_usage(command);
        print_options(command, command->options);
    } else {
        (void)printf(
            "Usage: mt5statectl COMMAND [OPTION]...\n"
            "Asks mt5stated about its MetaTrader 5 terminals and tells it what to do.\n\nCommands:\n");
        for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
            char left[64];

            (void)snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].words);
            print_row(left, 22, commands[i].summary);
        }
        (void)printf("\nOptions, anywhere:\n");
    }
    print_options(command, FOR_ALL);
    (void)printf("\nExit codes: 0 done, 1 refused by the daemon, 2 usage, 3 cannot reach the daemon.\n");
}
