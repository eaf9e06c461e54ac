/* The environment and the start of a hook. Nothing that we hold open gets through: all descriptors are made
 * close-on-exec, and what a library may have opened otherwise is closed in the child. */
#include "hook_spawn.h"

#include "hook_search.h"
#include "util/alloc.h"
#include "util/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define VARIABLE_PREFIX "MT5STATED_"

static const char fixed_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static const char fixed_lang[] = "LANG=C.UTF-8";

static char *copy_text(const char *text)
{
    return mem_copy_text(text, strlen(text));
}

static char *name_variable(const struct hook_variable *variable)
{
    struct buf out = BUF_INIT;

    buf_add_text(&out, VARIABLE_PREFIX);
    for (const char *c = variable->name; *c; c++)
        buf_add_char(&out, *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
    buf_add_char(&out, '=');
    buf_add_slice(&out, variable->value);
    (void)buf_text(&out);
    return out.data;
}

static char *name_home(const char *home)
{
    struct buf out = BUF_INIT;

    buf_add_text(&out, "HOME=");
    buf_add_text(&out, home);
    (void)buf_text(&out);
    return out.data;
}

static char **copy_arguments(const char *const *argv)
{
    size_t count = 0;
    char **copy;

    while (argv[count])
        count++;
    copy = mem_new(count + 1, sizeof(*copy));
    for (size_t i = 0; i < count; i++)
        copy[i] = copy_text(argv[i]);
    return copy;
}

void hook_program_init(struct hook_program *program, const char *const *argv,
                       const struct hook_variable *variables, size_t count)
{
    const char *home = getenv("HOME");
    size_t used = 0;

    program->argv = copy_arguments(argv);
    program->envp = mem_new(count + 4, sizeof(*program->envp));
    program->envp[used++] = copy_text(fixed_path);
    program->envp[used++] = copy_text(fixed_lang);
    if (home)
        program->envp[used++] = name_home(home);
    for (size_t i = 0; i < count; i++)
        program->envp[used++] = name_variable(&variables[i]);
}

static void free_texts(char **texts)
{
    for (char **text = texts; text && *text; text++)
        free(*text);
    free((void *)texts);
}

void hook_program_clear(struct hook_program *program)
{
    free_texts(program->argv);
    free_texts(program->envp);
    *program = (struct hook_program){NULL, NULL};
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all, none;
    int r;

    (void)sigfillset(&all); /* neither can fail for a set that is there */
    (void)sigemptyset(&none);
    r = posix_spawnattr_setflags(attributes,
                                 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    r = r ? r : posix_spawnattr_setpgroup(attributes, 0);
    r = r ? r : posix_spawnattr_setsigdefault(attributes, &all);
    return r ? r : posix_spawnattr_setsigmask(attributes, &none);
}

static int set_descriptors(posix_spawn_file_actions_t *actions, int input_fd, int output_fd)
{
    int r = posix_spawn_file_actions_adddup2(actions, input_fd, STDIN_FILENO);

    r = r ? r : posix_spawn_file_actions_adddup2(actions, output_fd, STDOUT_FILENO);
    r = r ? r : posix_spawn_file_actions_adddup2(actions, output_fd, STDERR_FILENO);
    return r ? r : posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

static int spawn(const struct hook_program *program, int input_fd, int output_fd, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r = posix_spawn_file_actions_init(&actions);

    if (r)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (!r) {
        r = set_attributes(&attributes);
        r = r ? r : set_descriptors(&actions, input_fd, output_fd);
        r = r ? r
              : posix_spawn(ret_pid, program->argv[0], &actions, &attributes, program->argv, program->envp);
        (void)posix_spawnattr_destroy(&attributes); /* neither fails for what was made */
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* *RET_MARK is 0 where it could get none. */
static int spawn_marked(const struct hook_program *program, int input_fd, int output_fd, pid_t *ret_pid,
                        uint64_t *ret_mark)
{
    uint64_t before = 0, mark = hook_mark_draw();
    bool has_mark = hook_mark_don(mark, &before);
    int r = spawn(program, input_fd, output_fd, ret_pid);

    if (has_mark)
        hook_mark_doff(before);
    *ret_mark = has_mark ? mark : 0;
    return r;
}

static void close_both(const int ends[2])
{
    (void)close(ends[0]); /* pipes: nothing is lost */
    (void)close(ends[1]);
}

/* Our end, END of the two, does not block; the hook's does. */
static int open_pipe(int ends[2], int end)
{
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    if (fcntl(ends[end], F_SETFL, O_NONBLOCK) == 0)
        return 0;

    int error = errno;

    close_both(ends);
    return -error;
}

int hook_program_start(const struct hook_program *program, struct hook_process *ret_process)
{
    int input[2], output[2];
    uint64_t mark = 0;
    pid_t pid = 0;
    int r = open_pipe(input, 1);

    if (r < 0)
        return r;
    r = open_pipe(output, 0);
    if (r < 0) {
        close_both(input);
        return r;
    }
    r = spawn_marked(program, input[0], output[1], &pid, &mark);
    if (r < 0) {
        close_both(input);
        close_both(output);
        return r;
    }
    (void)close(input[0]);
    (void)close(output[1]);
    /* Nobody but us waits for it, so the pid is its own until then. */
    *ret_process = (struct hook_process){pid, mark, pidfd_open(pid, 0), input[1], output[0]};
    return 0;
}

bool hook_error_may_pass(int error)
{
    switch (error) {
    case EAGAIN:
    case EINTR:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ETXTBSY:
        return true;
    default:
        return false;
    }
}
