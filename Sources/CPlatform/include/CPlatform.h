/// What Linux offers and Swift's view of the C library does not, or not conveniently.
#ifndef CPLATFORM_H
#define CPLATFORM_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

// MARK: Sockets and readiness

/// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC. Returns the descriptor, or -1 and errno.
int platform_accept4(int listener, struct sockaddr_storage *_Nonnull address,
                     socklen_t *_Nonnull length);

/// Writes one or two runs of bytes in one sendmsg(2); a peer that is gone is an error (EPIPE), never
/// a signal. Returns the number of bytes taken, or -1 and errno.
ssize_t platform_send(int socket, const void *_Nullable first, size_t first_count,
                      const void *_Nullable second, size_t second_count);

/// Bytes written to a socket that its peer has not acknowledged; 0 if that cannot be told.
int platform_unacknowledged_bytes(int socket);

enum {
  PLATFORM_READABLE = 1,
  PLATFORM_WRITABLE = 2,
  /// The peer has sent its last byte; earlier ones may be unread.
  PLATFORM_PEER_CLOSED = 4,
  /// The connection is in error. One whose both sides have sent their last byte is not: ours may still
  /// be on its way to a slow reader.
  PLATFORM_BROKEN = 8,
};

struct platform_event {
  /// What the descriptor was added with.
  uint64_t token;
  /// PLATFORM_READABLE, …
  uint32_t readiness;
};

/// A set of watched descriptors (an epoll instance), itself readable while one of them is ready.
/// Returns its descriptor, or -1 and errno.
int platform_events_open(void);

/// Watches a descriptor, edge-triggered, until it is closed. Returns 0, or -1 and errno.
int platform_events_add(int events, int descriptor, uint64_t token);

/// Takes what is ready, waiting up to `milliseconds` if nothing is. Returns the number of events
/// written, or -1 and errno.
int platform_events_take(int events, struct platform_event *_Nonnull out, int capacity,
                         int milliseconds);

/// Opens a descriptor to be watched that `platform_wake` makes ready; -1 and errno.
int platform_wake_open(void);
void platform_wake(int descriptor);

/// Opens a descriptor to be watched that becomes ready once, some time after each
/// `platform_timer_set`; a later call replaces an earlier one. -1 and errno.
int platform_timer_open(void);
/// nanoseconds: above 0.
void platform_timer_set(int descriptor, int64_t nanoseconds);

/// Has the allocator give large blocks back to the system as soon as they are freed (mallopt(3)).
void platform_return_freed_memory(void);

/// Raises the soft limit of open files to the hard one. Returns the limit now in force, or -1.
int64_t platform_raise_open_file_limit(void);

// MARK: What the process may use

/// The number of processors this process may run on (sched_getaffinity(2)), or 0 if unknown.
int platform_cpu_affinity_count(void);

/// The numbers of the NUMA nodes (`/sys/devices/system/node/online`), at most `capacity`. Returns how many, 0 if
/// unknown. `root` is put before the path: "" for the real one.
int platform_nodes_below(const char *_Nonnull root, int *_Nonnull nodes, int capacity);

/// The processors of a node (its `cpulist`) that this process may run on, at most `capacity`. Returns how many.
int platform_node_cpus_below(const char *_Nonnull root, int node, int *_Nonnull cpus, int capacity);

/// Lets the calling thread run on these processors alone (sched_setaffinity(2)). Returns 0, or -1 and errno.
int platform_run_on(const int *_Nonnull cpus, int count);

/// The CPU bandwidth quota of the process's control group and its ancestors, in processors (1.5 =
/// one and a half), or 0 if there is none. cgroup v2 `cpu.max`, v1 `cpu.cfs_quota_us`.
double platform_cgroup_cpu_quota(void);

/// The memory limit of the process's control group and its ancestors, in bytes, or 0 if there is
/// none. cgroup v2 `memory.max`, v1 `memory.limit_in_bytes`.
uint64_t platform_cgroup_memory_limit(void);

/// The same two, with `proc/self/cgroup` and `sys/fs/cgroup` looked up below `root` ("" for the
/// real ones).
double platform_cgroup_cpu_quota_below(const char *_Nonnull root);
uint64_t platform_cgroup_memory_limit_below(const char *_Nonnull root);

/// The resident set of this process in bytes (`/proc/self/statm`), or 0 if unknown.
uint64_t platform_resident_bytes(void);

#endif
