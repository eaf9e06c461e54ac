/* mt5statectl: the operator's command line. It talks to the daemon's HTTP API and to nothing else. */
#include "ctl/command.h"
#include <stdio.h>
#include <unistd.h>

static int run(struct ctl *ctl)
{
    struct errmsg why = {"libcurl cannot be used"};
    int code;

    if (!client_init(&ctl->client, ctl->options.url, ctl->options.token_file, ctl->options.timeout_ms,
                     &why)) {
        ctl_complain("%s", why.text);
        return CTL_USAGE;
    }
    if (ctl->client.is_token_bare)
        ctl_complain("%s: everybody on this machine may read the token: chmod o-r", ctl->options.token_file);
    terminal_look(&ctl->terminal, STDOUT_FILENO);
    code = ctl->options.command->run(ctl);
    if (code == CTL_DONE)
        code = ctl_flush(ctl);
    buf_clear(&ctl->out);
    client_clear(&ctl->client);
    return code;
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.out = BUF_INIT};
    struct errmsg why;
    int code;

    if (!options_parse(argc, argv, &ctl.options, &why)) {
        ctl_complain("%s", why.text);
        return CTL_USAGE;
    }
    if (ctl.options.help || ctl.options.version) {
        if (ctl.options.help)
            options_print_help(ctl.options.command);
        else
            (void)puts("mt5statectl " MT5_VERSION);
        return ctl_flush(&ctl);
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        ctl_complain("libcurl cannot be used");
        return CTL_AWAY;
    }
    code = run(&ctl);
    curl_global_cleanup();
    return code;
}
