/*
 * For LD_PRELOAD into the programs under test: their wall clock differs from the machine's by the
 * milliseconds in the file $CERTQ_WALL_CLOCK (an int64_t), and steps when somebody writes it. The
 * monotonic clock goes on, as it does when a machine's clock is set.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift_ms;

__attribute__((constructor)) static void map_file(void)
{
    const char *path = getenv("CERTQ_WALL_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *shift_ms, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        abort();
    shift_ms = map;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    const int result = (int)syscall(SYS_clock_gettime, clock, ret);
    if (result || !shift_ms || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return result;
    const int64_t ns = ret->tv_nsec + *shift_ms % 1000 * 1000000;
    ret->tv_sec += *shift_ms / 1000 + (ns >= 1000000000) - (ns < 0);
    ret->tv_nsec = (ns + 1000000000) % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    const int result = clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return result;
}

int timespec_get(struct timespec *ret, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, ret) == 0 ? base : 0;
}

time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}
