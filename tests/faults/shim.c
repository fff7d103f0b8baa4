/* Stands between SQLite and the system (LD_PRELOAD): writes down what is asked of the disk, and
   lets the disk be full or fail. It looks at one folder only:

       FAULTS_FOLDER       the folder
       FAULTS_LOG          where to write down what is done to its files; not in the folder
       FAULTS_FAIL_SYNCS   which syncs of the database and its log fail with EIO: 3,17,18
       FAULTS_PRETEND      do not really wait for the disk

   A record of the log: what (1 byte), which file (1 byte), offset (8), length (4), data.
   What: Created, Written, Truncated, Unlinked, Synced, Failed to sync, Acknowledged (data written
   to the file of marks). Which: a number of `enum which`. Little endian. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum which { NONE, DATABASE, WAL, MARKS, FOLDER };
enum { MOST = 65536 };

static unsigned char opened[MOST];
static int64_t most[5] = {-1, -1, -1, -1, -1};
static long syncs;
static int logging = -1, pretend;
static const char *folder, *failing;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static int (*real_unlink)(const char *);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int), (*real_fdatasync)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);

static void begin(void) {
    if (real_write) return;
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    folder = getenv("FAULTS_FOLDER");
    failing = getenv("FAULTS_FAIL_SYNCS");
    pretend = getenv("FAULTS_PRETEND") != NULL;
    const char *log = getenv("FAULTS_LOG");
    if (log) logging = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    real_write = dlsym(RTLD_NEXT, "write");
}
__attribute__((constructor)) static void loaded(void) { begin(); }

static int ends(const char *path, const char *with) {
    size_t n = strlen(path), m = strlen(with);
    return n >= m && !strcmp(path + n - m, with);
}

static enum which which(const char *path) {
    if (!folder || strncmp(path, folder, strlen(folder))) return NONE;
    if (!path[strlen(folder)]) return FOLDER;
    if (ends(path, "/marks")) return MARKS;
    if (ends(path, ".sqlite")) return DATABASE;
    if (ends(path, "-wal") || ends(path, "-journal")) return WAL;
    return NONE;
}

static enum which of(int fd) { return fd >= 0 && fd < MOST ? opened[fd] : NONE; }

static void note(char what, enum which file, int64_t offset, const void *data, uint32_t length) {
    if (logging < 0) return;
    char head[14];
    head[0] = what;
    head[1] = (char)file;
    memcpy(head + 2, &offset, 8);
    memcpy(head + 10, &length, 4);
    char *record = malloc(sizeof head + length);
    if (!record) abort();
    memcpy(record, head, sizeof head);
    if (length) memcpy(record + sizeof head, data, length);
    pthread_mutex_lock(&turn);
    if (real_write(logging, record, sizeof head + length) != (ssize_t)(sizeof head + length)) abort();
    pthread_mutex_unlock(&turn);
    free(record);
}

/* What a test may ask for while the program runs: the database (1) or its log (2) may not grow
   beyond so many bytes; -1 ends it. And how many syncs there were. */
void faults_room(int file, int64_t bytes) { most[file] = bytes; }
long faults_syncs(void) { return syncs; }

static int opening(const char *path, int flags, int mode) {
    enum which file = which(path);
    int missing = file != NONE && (flags & O_CREAT) && access(path, F_OK);
    int fd = real_open(path, flags, mode);
    if (fd >= 0 && fd < MOST) opened[fd] = file;
    if (fd >= 0 && missing) note('C', file, 0, NULL, 0);
    return fd;
}

#define OPEN(NAME)                                                                                 \
    int NAME(const char *path, int flags, ...) {                                                   \
        begin();                                                                                   \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, int) : 0;                        \
        va_end(more);                                                                              \
        return opening(path, flags, mode);                                                         \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    begin();
    if (fd >= 0 && fd < MOST) opened[fd] = NONE;
    return real_close(fd);
}

int unlink(const char *path) {
    begin();
    int done = real_unlink(path);
    if (!done && which(path) != NONE) note('U', which(path), 0, NULL, 0);
    return done;
}

/* A full disk takes what it has room for, and then nothing. */
static int64_t taken(int fd, off_t offset, size_t length) {
    int64_t room = most[of(fd)];
    struct stat is;
    if (room < 0 || fstat(fd, &is)) return (int64_t)length;
    if (room < is.st_size) room = is.st_size;
    if (offset + (int64_t)length <= room) return (int64_t)length;
    return offset < room ? room - offset : 0;
}

static ssize_t writing(int fd, const void *data, size_t length, off_t offset) {
    begin();
    int64_t some = of(fd) ? taken(fd, offset, length) : (int64_t)length;
    if (!some && length) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t done = real_pwrite(fd, data, (size_t)some, offset);
    if (done > 0 && of(fd)) note('W', of(fd), offset, data, (uint32_t)done);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    return writing(fd, data, length, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    return writing(fd, data, length, offset);
}

ssize_t write(int fd, const void *data, size_t length) {
    begin();
    enum which file = of(fd);
    if (file == DATABASE || file == WAL) abort(); /* not seen of SQLite; it would go unnoticed */
    ssize_t done = real_write(fd, data, length);
    if (done > 0 && file == MARKS) note('A', file, 0, data, (uint32_t)done);
    return done;
}

static int truncating(int fd, off_t length) {
    begin();
    int done = real_ftruncate(fd, length);
    if (!done && of(fd)) note('T', of(fd), length, NULL, 0);
    return done;
}
int ftruncate(int fd, off_t length) { return truncating(fd, length); }
int ftruncate64(int fd, off_t length) { return truncating(fd, length); }

static int fails(long number) {
    for (const char *at = failing; at && *at; at = *at == ',' ? at + 1 : at) {
        char *end;
        if (strtol(at, &end, 10) == number) return 1;
        if (end == at) abort();
        at = end;
    }
    return 0;
}

static int syncing(int fd, int (*real)(int)) {
    enum which file = of(fd);
    if ((file == DATABASE || file == WAL) && fails(__sync_add_and_fetch(&syncs, 1))) {
        note('F', file, 0, NULL, 0);
        errno = EIO;
        return -1;
    }
    int done = file && pretend ? 0 : real(fd);
    if (file) note(done ? 'F' : 'S', file, 0, NULL, 0);
    return done;
}
int fsync(int fd) { begin(); return syncing(fd, real_fsync); }
int fdatasync(int fd) { begin(); return syncing(fd, real_fdatasync); }
