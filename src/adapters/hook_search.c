/* Invariants: the timer is set, or a look is under way in it, as long as anybody is sought; `proc` is open
 * between the slices of one look only. */
#include "hook_search.h"

#include "adapters/loop.h"
#include "util/alloc.h"
#include "util/macros.h"
#include "util/number.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What one slice may take, and after how many processes the clock is looked at. */
#define SLICE_US    4000
#define SLICE_CHECK 16
/* From one look to the next: where all are killed, and where they have been asked to go. The second is for
 * seconds, and a look among thousands of processes costs 10 ms. */
#define KILL_PAUSE_MS 10
#define ASK_PAUSE_MS  250
/* Below that a number might be guessed, or somebody's limit. */
#define MARK_MIN (UINT64_C(1) << 32)

struct hook_search {
    struct loop_timer *timer;
    TAILQ_HEAD(, hook_sought) sought;
    DIR *proc;
};

uint64_t hook_mark_draw(void)
{
    struct rlimit limit;
    uint64_t mark;

    if (getrlimit(RLIMIT_LOCKS, &limit) < 0 || limit.rlim_max < MARK_MIN * 2)
        return 0;
    arc4random_buf(&mark, sizeof(mark));
    return MARK_MIN + mark % (limit.rlim_max - MARK_MIN);
}

bool hook_mark_don(uint64_t mark, uint64_t *ret_before)
{
    struct rlimit limit;

    if (mark == 0 || getrlimit(RLIMIT_LOCKS, &limit) < 0)
        return false;
    *ret_before = limit.rlim_cur;
    limit.rlim_cur = mark;
    return setrlimit(RLIMIT_LOCKS, &limit) == 0;
}

void hook_mark_doff(uint64_t before)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_LOCKS, &limit) < 0)
        return;
    limit.rlim_cur = before;
    (void)setrlimit(RLIMIT_LOCKS, &limit); /* it was allowed a moment ago */
}

/* 0 where it is gone, or somebody else's. */
static uint64_t mark_of(pid_t pid)
{
    struct rlimit limit;

    return prlimit(pid, RLIMIT_LOCKS, NULL, &limit) == 0 ? limit.rlim_cur : 0;
}

/* Dead, and its parent has not asked for it: that may take for ever. */
static bool is_zombie(int proc_fd, const char *name)
{
    char path[272], text[128]; /* a name of a folder is 255 bytes at most */
    const char *state;
    ssize_t len;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/stat", name);
    fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT;
    len = read(fd, text, sizeof(text) - 1);
    (void)close(fd); /* only read from */
    if (len <= 0)
        return true;
    text[len] = '\0';
    state = strrchr(text, ')');
    return state && state[1] == ' ' && (state[2] == 'Z' || state[2] == 'X');
}

/* Numbers are given out in turn, so none is given anew between two calls here. Of a group that the process
 * has made itself all members are its own, and nobody can be born into it while it is killed as one. */
static void signal_found(pid_t pid, int signo)
{
    bool is_leader = signo == SIGKILL && getpgid(pid) == pid;

    (void)kill(is_leader ? -pid : pid, signo); /* where it is gone by now, fine */
}

static void look_at(struct hook_search *search, const char *name)
{
    struct hook_sought *sought;
    uint64_t value, mark;
    pid_t pid;

    if (!number_parse_u64(slice_text(name), INT32_MAX, &value))
        return;
    pid = (pid_t)value;
    mark = mark_of(pid);
    if (mark < MARK_MIN)
        return;
    TAILQ_FOREACH(sought, &search->sought, link)
    {
        if (sought->mark != mark || (sought->is_late && sought->signo != SIGKILL))
            continue; /* asked to go once, by the look that is its own */
        if (getpgid(pid) == sought->group || is_zombie(dirfd(search->proc), name))
            continue;
        sought->found++;
        sought->was_found = true;
        if (sought->signo)
            signal_found(pid, sought->signo);
    }
}

/* False where it cannot begin now, but may later. Where there is no /proc nobody can be found. */
static bool begin_look(struct hook_search *search)
{
    struct hook_sought *sought;

    search->proc = opendir("/proc");
    if (!search->proc && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return false;
    TAILQ_FOREACH(sought, &search->sought, link)
    {
        sought->is_late = false;
        sought->found = 0;
    }
    return true;
}

static void close_proc(struct hook_search *search)
{
    if (search->proc)
        (void)closedir(search->proc); /* only read from */
    search->proc = NULL;
}

/* True when it has come to its end. */
static bool go_on(struct hook_search *search, int64_t end_us)
{
    const struct dirent *entry;
    unsigned count = 0;

    while (search->proc && (entry = readdir(search->proc))) {
        look_at(search, entry->d_name);
        if (++count % SLICE_CHECK == 0 && loop_now_us() >= end_us)
            return false;
    }
    close_proc(search);
    return true;
}

/* Returns how many are clean: sought no more, and not told yet. */
static size_t end_look(struct hook_search *search)
{
    struct hook_sought *sought;
    size_t clean = 0;

    TAILQ_FOREACH(sought, &search->sought, link)
    {
        if (sought->is_late)
            continue;
        sought->is_clean = sought->found == 0;
        clean += sought->is_clean;
        if (sought->signo != SIGKILL)
            sought->signo = 0;
    }
    return clean;
}

static struct hook_sought *take_clean(struct hook_search *search)
{
    struct hook_sought *sought;

    TAILQ_FOREACH(sought, &search->sought, link)
    {
        if (!sought->is_clean)
            continue;
        hook_search_end(search, sought);
        return sought;
    }
    return NULL;
}

static void set_next(struct hook_search *search)
{
    struct hook_sought *sought;
    int64_t pause_ms = ASK_PAUSE_MS;

    if (TAILQ_EMPTY(&search->sought))
        return;
    TAILQ_FOREACH(sought, &search->sought, link)
    {
        if (sought->is_late)
            pause_ms = 0;
        else if (sought->signo == SIGKILL && pause_ms > KILL_PAUSE_MS)
            pause_ms = KILL_PAUSE_MS;
    }
    loop_timer_set(search->timer, pause_ms);
}

static void on_timer(void *ctx)
{
    struct hook_search *search = ctx;
    struct hook_sought *sought;

    if (!search->proc && !begin_look(search)) {
        loop_timer_set(search->timer, KILL_PAUSE_MS); /* descriptors may be short */
        return;
    }
    if (!go_on(search, loop_now_us() + SLICE_US)) {
        loop_timer_set(search->timer, 0);
        return;
    }
    for (size_t left = end_look(search); left > 0 && (sought = take_clean(search)); left--)
        sought->over(sought->ctx);
    set_next(search);
}

struct hook_search *hook_search_new(struct loop *loop)
{
    struct hook_search *search = mem_new(1, sizeof(*search));

    TAILQ_INIT(&search->sought);
    search->timer = loop_timer_new(loop, on_timer, search);
    return search;
}

void hook_search_free(struct hook_search *search)
{
    if (!search)
        return;
    close_proc(search);
    loop_timer_free(search->timer);
    free(search);
}

void hook_search_begin(struct hook_search *search, struct hook_sought *sought, int signo)
{
    if (sought->mark == 0)
        return;
    if (!sought->is_sought)
        TAILQ_INSERT_TAIL(&search->sought, sought, link);
    sought->is_sought = true;
    sought->is_late = true;
    sought->is_clean = false;
    sought->signo = signo;
    /* Looks that go on come to their end first: whoever always begins anew gets nowhere. */
    if (!search->proc)
        loop_timer_set(search->timer, 0);
}

void hook_search_end(struct hook_search *search, struct hook_sought *sought)
{
    if (!sought->is_sought)
        return;
    TAILQ_REMOVE(&search->sought, sought, link);
    sought->is_sought = false;
    if (TAILQ_EMPTY(&search->sought) && !search->proc)
        loop_timer_stop(search->timer);
}

void hook_search_now(struct hook_search *search)
{
    if (TAILQ_EMPTY(&search->sought))
        return;
    close_proc(search);
    if (!begin_look(search))
        return;
    (void)go_on(search, INT64_MAX);
    (void)end_look(search);
    while (take_clean(search))
        continue;
}
