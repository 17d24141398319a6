/* Stands between a process and its file system, below one folder.
 *
 * Preloaded into a process that then calls faults_arm(). It counts the calls that change something
 * on the disk, can kill the process before (or in the middle of) the so-manyth of them, let it fail
 * with an error, or hold it up; and it writes down every call that succeeded, with the bytes, so
 * that a reader can rebuild what a power cut would have left. While it is armed nothing is truly
 * synced: syncing is written down, and that is enough.
 *
 * Kinds: o open to write   w write   t change of length   s sync   r rename   u unlink   m mkdir
 *        d rmdir           c close of what was open to write
 * and, in the log alone: k a mark, F a call that was made to fail, x a way of writing that is
 * not understood here (a mapping, a link): a reader must not trust a log that holds one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NOTHING, KILL, FAIL, HOLD, HALF_THEN_KILL, HALF_THEN_FAIL };

static struct {
    volatile int armed;
    char folder[PATH_MAX], kinds[32];
    int log, action, error, for_good;
    long at;
    volatile long calls;
    volatile int held, released;
} now = {.log = -1};

static pthread_mutex_t logging = PTHREAD_MUTEX_INITIALIZER;


/* --- what Python calls ------------------------------------------------------------------------ */

void faults_arm(const char *folder, const char *log, const char *kinds, int action, long at,
                int error, int for_good) {
    snprintf(now.folder, sizeof now.folder, "%s", folder);
    snprintf(now.kinds, sizeof now.kinds, "%s", kinds);
    now.log = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    now.action = action, now.at = at, now.error = error, now.for_good = for_good;
    now.calls = 0, now.held = now.released = 0;
    now.armed = 1;
}

void faults_disarm(void) { now.armed = 0; }
long faults_calls(void) { return now.calls; }
int faults_held(void) { return now.held; }
void faults_release(void) { now.released = 1; }

/* --- paths and the log ------------------------------------------------------------------------ */

static int below(const char *path) {
    size_t length = strlen(now.folder);
    return !strncmp(path, now.folder, length) && (path[length] == '/' || !path[length]);
}

static int path_of(int fd, char *into) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, into, PATH_MAX - 1);
    if (length < 0) return 0;
    into[length] = 0;
    return 1;
}

/* The absolute path of a name beside an open folder, when it is below the watched folder. */
static int watched_at(int folder, const char *name, char *into) {
    char start[PATH_MAX];
    if (!now.armed || !name) return 0;
    if (name[0] == '/') {
        snprintf(into, PATH_MAX, "%s", name);
        return below(into);
    }
    if (folder == AT_FDCWD) {
        if (syscall(SYS_getcwd, start, sizeof start) < 0) return 0;
    } else if (!path_of(folder, start)) {
        return 0;
    }
    if (snprintf(into, PATH_MAX, "%s/%s", start, name) >= PATH_MAX) return 0;
    return below(into);
}

static int watched_fd(int fd, char *into) { return now.armed && path_of(fd, into) && below(into); }

static void note(char kind, long offset, long length, const char *path, const char *second,
                 const void *bytes) {
    char line[2 * PATH_MAX + 64];
    int size = snprintf(line, sizeof line, "%c\t%ld\t%ld\t%s\t%s\n", kind, offset, length, path,
                        second);
    struct iovec parts[2] = {{line, size}, {(void *)bytes, bytes ? length : 0}};
    pthread_mutex_lock(&logging);
    syscall(SYS_writev, now.log, parts, 2);
    pthread_mutex_unlock(&logging);
}

void faults_mark(const char *word, long number) {
    if (now.armed) note('k', number, 0, "", word, NULL);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts a call, and says what is to become of it: NOTHING, FAIL, or a half action. */
static int due(char kind, const char *path) {
    if (!strchr(now.kinds, kind)) return NOTHING;
    long number = __sync_add_and_fetch(&now.calls, 1);
    if (!now.at || number < now.at || (number > now.at && !now.for_good)) return NOTHING;
    int action = now.action;
    if (action == HALF_THEN_FAIL && number > now.at) action = FAIL;
    if (kind != 'w' && action == HALF_THEN_KILL) action = KILL;
    if (kind != 'w' && action == HALF_THEN_FAIL) action = FAIL;
    if (action == KILL) die();
    if (action == HOLD) {
        now.held = 1;
        while (!now.released) usleep(200);
        return NOTHING;
    }
    if (action == FAIL) {
        note('F', number, 0, path, (char[]){kind, 0}, NULL);
        errno = now.error;
    }
    return action;
}

/* --- open and close --------------------------------------------------------------------------- */

static int to_write(int flags) { return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC); }

static int opened(int folder, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    int seen = to_write(flags) && watched_at(folder, name, path);
    if (seen && due('o', path) == FAIL) return -1;
    int fd = syscall(SYS_openat, folder, name, flags | O_LARGEFILE, mode);
    if (seen && fd >= 0) note('o', flags & O_TRUNC ? 1 : 0, 0, path, "", NULL);
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE(flags) return opened(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE(flags) return opened(folder, name, flags, mode); }
int creat(const char *name, mode_t mode) { return opened(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

int close(int fd) {
    char path[PATH_MAX];
    if (now.armed) {
        int flags = syscall(SYS_fcntl, fd, F_GETFL);
        if (flags >= 0 && to_write(flags) && watched_fd(fd, path)) due('c', path), note('c', 0, 0, path, "", NULL);
    }
    return syscall(SYS_close, fd);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static ssize_t written(int fd, const void *bytes, size_t length, off_t at) {
    char path[PATH_MAX];
    int seen = watched_fd(fd, path);
    if (seen) {
        int action = due('w', path);
        if (action == FAIL) return -1;
        if (action == HALF_THEN_KILL || action == HALF_THEN_FAIL) length = (length + 1) / 2;
        if (at < 0) {
            int append = syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND;
            off_t here = syscall(SYS_lseek, fd, 0, append ? SEEK_END : SEEK_CUR);
            ssize_t count = syscall(SYS_write, fd, bytes, length);
            if (count > 0) note('w', here, count, path, "", bytes);
            if (action == HALF_THEN_KILL) die();
            return count;
        }
    }
    if (at < 0) return syscall(SYS_write, fd, bytes, length);
    ssize_t count = syscall(SYS_pwrite64, fd, bytes, length, at);
    if (seen && count > 0) note('w', at, count, path, "", bytes);
    return count;
}

ssize_t write(int fd, const void *bytes, size_t length) { return written(fd, bytes, length, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return written(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) { return written(fd, bytes, length, at); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    if (!watched_fd(fd, path)) return syscall(SYS_writev, fd, parts, count);
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t done = written(fd, parts[i].iov_base, parts[i].iov_len, -1);
        if (done < 0) return total ? total : -1;
        total += done;
        if ((size_t)done < parts[i].iov_len) break;
    }
    return total;
}

int ftruncate(int fd, off_t length) {
    char path[PATH_MAX];
    int seen = watched_fd(fd, path);
    if (seen && due('t', path) == FAIL) return -1;
    int answer = syscall(SYS_ftruncate, fd, length);
    if (seen && !answer) note('t', length, 0, path, "", NULL);
    return answer;
}

int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

static int synced(int fd, int number) {
    char path[PATH_MAX];
    if (!watched_fd(fd, path)) return syscall(number, fd);
    if (due('s', path) == FAIL) return -1;
    note('s', 0, 0, path, "", NULL);
    return 0;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

/* --- names ------------------------------------------------------------------------------------ */

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    char a[PATH_MAX], b[PATH_MAX];
    int seen = watched_at(from, old, a) && watched_at(to, new, b);
    if (seen && due('r', a) == FAIL) return -1;
    int answer = syscall(SYS_renameat2, from, old, to, new, flags);
    if (seen && !answer) note(flags ? 'x' : 'r', 0, 0, a, b, NULL);
    return answer;
}

int renameat(int from, const char *old, int to, const char *new) { return renameat2(from, old, to, new, 0); }
int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }

int unlinkat(int folder, const char *name, int flags) {
    char path[PATH_MAX], kind = flags & AT_REMOVEDIR ? 'd' : 'u';
    int seen = watched_at(folder, name, path);
    if (seen && due(kind, path) == FAIL) return -1;
    int answer = syscall(SYS_unlinkat, folder, name, flags);
    if (seen && !answer) note(kind, 0, 0, path, "", NULL);
    return answer;
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdirat(int folder, const char *name, mode_t mode) {
    char path[PATH_MAX];
    int seen = watched_at(folder, name, path);
    if (seen && due('m', path) == FAIL) return -1;
    int answer = syscall(SYS_mkdirat, folder, name, mode);
    if (seen && !answer) note('m', 0, 0, path, "", NULL);
    return answer;
}

int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

/* --- ways of writing that are not followed: they spoil the log -------------------------------- */

void *mmap(void *start, size_t length, int protection, int flags, int fd, off_t at) {
    char path[PATH_MAX];
    if (fd >= 0 && flags & MAP_SHARED && protection & PROT_WRITE && watched_fd(fd, path))
        note('x', 0, 0, path, "mmap", NULL);
    return (void *)syscall(SYS_mmap, start, length, protection, flags, fd, at);
}

void *mmap64(void *start, size_t length, int protection, int flags, int fd, off_t at) {
    return mmap(start, length, protection, flags, fd, at);
}

int linkat(int from, const char *old, int to, const char *new, int flags) {
    char path[PATH_MAX];
    if (watched_at(to, new, path)) note('x', 0, 0, path, "link", NULL);
    return syscall(SYS_linkat, from, old, to, new, flags);
}

int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

ssize_t sendfile(int to, int from, off_t *at, size_t length) {
    char path[PATH_MAX];
    if (watched_fd(to, path)) note('x', 0, 0, path, "sendfile", NULL);
    return syscall(SYS_sendfile, to, from, at, length);
}

ssize_t sendfile64(int to, int from, off_t *at, size_t length) { return sendfile(to, from, at, length); }
