/* Runs a program and says what it took: seconds, CPU seconds and the most memory in KiB, on one line at the end of FILE.
 *
 *     spent FILE PROGRAM [ARGUMENT ...]
 *
 * A process begins with the peak of memory of the one that started it, so that has to be a small one: not Python. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval time) { return time.tv_sec + time.tv_usec / 1e6; }

int main(int count, char **words) {
    struct timespec began, ended;
    struct rusage used;
    int status;
    if (count < 3) return 2;
    FILE *file = fopen(words[1], "ae");
    if (!file) return 1;
    clock_gettime(CLOCK_MONOTONIC, &began);
    pid_t child = fork();
    if (child == 0) {
        execvp(words[2], words + 2);
        perror(words[2]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &used) < 0) return 1;
    clock_gettime(CLOCK_MONOTONIC, &ended);
    fprintf(file, "%.6f %.6f %ld\n", ended.tv_sec - began.tv_sec + (ended.tv_nsec - began.tv_nsec) / 1e9,
            seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss);
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
