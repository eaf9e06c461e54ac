/* What a hook executes, and how it becomes a process. */
#pragma once

#include "adapters/hook.h"
#include <sys/types.h>

/* Both end with a NULL. */
struct hook_program {
    char **argv;
    char **envp;
};

/* Copies; envp is the whole environment (hook.h). */
void hook_program_init(struct hook_program *program, const char *const *argv,
                       const struct hook_variable *variables, size_t count);
void hook_program_clear(struct hook_program *program);

struct hook_process {
    pid_t pid;     /* of its process group as well */
    uint64_t mark; /* that it and all that it starts wear (hook_search.h); 0: none */
    int pid_fd;    /* -1 where the system refused it: the pid has to be asked */
    int input_fd;  /* we write; does not block */
    int output_fd; /* we read; does not block */
};

/* Returns once the file is being executed, so a file system that hangs would hold us. 0, or -errno: then
 * there is no process. */
int hook_program_start(const struct hook_program *program, struct hook_process *ret_process);
/* The failure may pass by itself: something was short, or the file is just being written. */
bool hook_error_may_pass(int error);
