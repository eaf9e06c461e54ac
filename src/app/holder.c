#include "app/holder.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The beginning of a file as text, empty where it cannot be read. 0, or -errno. */
static int read_start(const char *path, char *out, size_t size)
{
    out[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, out, size - 1);
    int error = n < 0 ? -errno : 0;
    (void)close(fd); /* only read from */
    out[n > 0 ? n : 0] = '\0';
    return error;
}

/* When process PID started, in clock ticks since boot; 0 where there is none. A zombie counts as none.
 * UINT64_MAX where that cannot be known, as where no descriptor is left. */
static uint64_t start_time(long pid)
{
    char path[64], stat[1024];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    int error = read_start(path, stat, sizeof stat);
    if (error && error != -ENOENT && error != -ESRCH)
        return UINT64_MAX;
    /* The name in parentheses may hold anything, newlines too; field 3 follows the last one. */
    const char *p = strrchr(stat, ')');
    if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
        return 0;
    p += 2;
    for (int field = 3; field < 22; field++) {
        p = strchr(p, ' ');
        if (!p)
            return 0;
        p++;
    }
    return strtoull(p, NULL, 10);
}

void holder_make_token(char out[HOLDER_TOKEN_MAX], const char *consumer)
{
    char boot[64], ns[64] = "";
    (void)read_start("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    boot[strcspn(boot, "\n")] = '\0';
    ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof ns - 1);
    ns[n > 0 ? n : 0] = '\0';
    long pid = (long)getpid();
    uint64_t started = start_time(pid);
    /* Nobody can tell of a 0 that it is dead: namespaces are called the same on every machine. */
    if (!boot[0] || started == UINT64_MAX)
        started = 0;
    (void)snprintf(out, HOLDER_TOKEN_MAX, "%s@%s:%s:%ld:%" PRIu64 "#%08" PRIx32 "%08" PRIx32, consumer, boot,
                   ns, pid, started, arc4random(), arc4random());
}

bool holder_is_dead(const char *holder, const char *own)
{
    /* Everything up to the process: consumer, boot, namespace (`pid:[4026531836]` has a colon of its own). */
    const char *ns = strstr(own, "]:");
    if (!ns)
        return false;
    size_t same = (size_t)(ns + 2 - own);
    if (strncmp(holder, own, same) != 0)
        return false;
    char *end;
    errno = 0;
    long pid = strtol(holder + same, &end, 10);
    if (errno || *end != ':' || pid <= 0)
        return false;
    uint64_t started = strtoull(end + 1, &end, 10);
    if (*end != '#' || started == 0)
        return false;
    uint64_t now = start_time(pid);
    if (now)
        return now != started && now != UINT64_MAX;
    /* Nothing to read: gone, or hidden from us, which only its user may be. */
    return kill((pid_t)pid, 0) == 0 || errno != EPERM;
}
