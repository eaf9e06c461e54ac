/* Reads /proc/self. Nothing here is kept open: descriptors may be short when it is asked for. */
#include "adapters/process_stats.h"

#include "util/number.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Reads the number at *TEXT and steps over it and the space behind it. */
static bool take_number(struct slice *text, uint64_t *ret_value)
{
    size_t len = 0;

    while (len < text->len && text->data[len] >= '0' && text->data[len] <= '9')
        len++;
    if (!number_parse_u64(slice_of(text->data, len), UINT64_MAX, ret_value))
        return false;
    len += len < text->len;
    *text = slice_of(text->data + len, text->len - len);
    return true;
}

/* /proc/self/statm: total and resident size in pages. */
static void read_memory(struct process_stats *stats)
{
    char text[128];
    uint64_t total, resident, page = (uint64_t)sysconf(_SC_PAGESIZE);
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t len;
    struct slice rest;

    if (fd < 0)
        return;
    len = read(fd, text, sizeof(text));
    (void)close(fd); /* only read from */
    rest = slice_of(text, len > 0 ? (size_t)len : 0);
    if (!take_number(&rest, &total) || !take_number(&rest, &resident))
        return;
    stats->has_memory = true;
    stats->virtual_bytes = total * page;
    stats->resident_bytes = resident * page;
}

static void count_open_files(struct process_stats *stats)
{
    DIR *folder = opendir("/proc/self/fd");
    uint64_t count = 0;

    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    (void)closedir(folder); /* only read from */
    stats->has_open_fds = count > 0;
    stats->open_fds = count - (count > 0); /* without the one for this folder */
}

void process_stats_read(struct process_stats *ret_stats)
{
    struct timespec cpu;
    struct rlimit files;

    *ret_stats = (struct process_stats){0};
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        ret_stats->cpu_seconds = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
        ret_stats->has_max_fds = true;
        ret_stats->max_fds = files.rlim_cur;
    }
    read_memory(ret_stats);
    count_open_files(ret_stats);
}
