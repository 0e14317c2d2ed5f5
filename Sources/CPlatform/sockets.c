#define _GNU_SOURCE
#include "CPlatform.h"

#include <stddef.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

int platform_accept4(int listener, struct sockaddr_storage *address, socklen_t *length) {
  *length = sizeof *address;
  return accept4(listener, (struct sockaddr *)address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t platform_send(int socket, const void *first, size_t first_count, const void *second,
                      size_t second_count) {
  // sendmsg does not write through iov_base; the type has no const because readv shares it.
  struct iovec parts[2] = {
      {.iov_base = (void *)first, .iov_len = first_count},
      {.iov_base = (void *)second, .iov_len = second_count},
  };
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = second_count > 0 ? 2 : 1};
  return sendmsg(socket, &message, MSG_NOSIGNAL);
}

int platform_unacknowledged_bytes(int socket) {
  int count = 0;
  return ioctl(socket, SIOCOUTQ, &count) == 0 ? count : 0;
}

int platform_events_open(void) { return epoll_create1(EPOLL_CLOEXEC); }

int platform_events_add(int events, int descriptor, uint64_t token) {
  struct epoll_event event = {
      .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
      .data.u64 = token,
  };
  return epoll_ctl(events, EPOLL_CTL_ADD, descriptor, &event);
}

int platform_events_take(int events, struct platform_event *out, int capacity,
                         int milliseconds) {
  struct epoll_event ready[64];
  int count = epoll_wait(events, ready, capacity < 64 ? capacity : 64, milliseconds);
  for (int i = 0; i < count; i++) {
    uint32_t bits = ready[i].events;
    out[i].token = ready[i].data.u64;
    out[i].readiness = ((bits & EPOLLIN) ? PLATFORM_READABLE : 0) |
                       ((bits & EPOLLOUT) ? PLATFORM_WRITABLE : 0) |
                       ((bits & (EPOLLRDHUP | EPOLLHUP)) ? PLATFORM_PEER_CLOSED : 0) |
                       ((bits & EPOLLERR) ? PLATFORM_BROKEN : 0);
  }
  return count;
}

int platform_wake_open(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void platform_wake(int descriptor) {
  uint64_t one = 1;
  // Edge-triggered: each write tells, the sum is never read, and 2^64 of them do not happen.
  ssize_t written = write(descriptor, &one, sizeof one);
  (void)written;
}

// The clock that ContinuousClock reads.
int platform_timer_open(void) {
  return timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
}

void platform_timer_set(int descriptor, int64_t nanoseconds) {
  struct itimerspec when = {
      .it_value = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000},
  };
  timerfd_settime(descriptor, 0, &when, NULL);
}

int64_t platform_raise_open_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
  if (limit.rlim_cur < limit.rlim_max) {
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return (int64_t)before;
  }
  return limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}
