#define _GNU_SOURCE
#include "CPlatform.h"

#include <limits.h>
#include <malloc.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// More than a kernel has: it refuses a set smaller than its own (EINVAL).
enum { MOST_CPUS = 1 << 16 };

int platform_cpu_affinity_count(void) {
  cpu_set_t *set = CPU_ALLOC(MOST_CPUS);
  if (set == NULL) return 0;
  size_t size = CPU_ALLOC_SIZE(MOST_CPUS);
  CPU_ZERO_S(size, set);
  int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
  CPU_FREE(set);
  return count;
}

/// Reads the first line of root + directory + "/" + name.
static bool read_line(const char *root, const char *directory, const char *name, char *line,
                      int capacity) {
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s%s/%s", root, directory, name) >= (int)sizeof path)
    return false;
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  bool read = fgets(line, capacity, file) != NULL;
  fclose(file);
  return read;
}

/// The numbers in a list as the kernel writes it ("0-3,8"), at most `capacity`. Returns how many.
static int read_list(const char *root, const char *directory, const char *name, int *numbers, int capacity) {
  // Room for some thousands of numbers with commas.
  char line[32 << 10];
  if (!read_line(root, directory, name, line, sizeof line)) return 0;
  int count = 0;
  for (char *at = line, *end; count < capacity; at = end + 1) {
    long first = strtol(at, &end, 10), last = first;
    if (end == at || first < 0) break;
    if (*end == '-') last = strtol(end + 1, &end, 10);
    for (; first <= last && first <= INT_MAX && count < capacity; first++) numbers[count++] = (int)first;
    if (*end != ',') break;
  }
  return count;
}

#define NODES "/sys/devices/system/node"

int platform_nodes_below(const char *root, int *nodes, int capacity) {
  return read_list(root, NODES, "online", nodes, capacity);
}

int platform_node_cpus_below(const char *root, int node, int *cpus, int capacity) {
  char directory[sizeof NODES + 32];
  snprintf(directory, sizeof directory, NODES "/node%d", node);
  int count = read_list(root, directory, "cpulist", cpus, capacity), kept = 0;
  cpu_set_t *set = CPU_ALLOC(MOST_CPUS);
  if (set == NULL) return 0;
  CPU_ZERO_S(CPU_ALLOC_SIZE(MOST_CPUS), set);
  if (sched_getaffinity(0, CPU_ALLOC_SIZE(MOST_CPUS), set) == 0) {
    for (int i = 0; i < count; i++) {
      if (cpus[i] < MOST_CPUS && CPU_ISSET_S(cpus[i], CPU_ALLOC_SIZE(MOST_CPUS), set)) cpus[kept++] = cpus[i];
    }
  }
  CPU_FREE(set);
  return kept;
}

int platform_run_on(const int *cpus, int count) {
  cpu_set_t *set = CPU_ALLOC(MOST_CPUS);
  if (set == NULL) return -1;
  CPU_ZERO_S(CPU_ALLOC_SIZE(MOST_CPUS), set);
  for (int i = 0; i < count; i++) {
    if (cpus[i] >= 0 && cpus[i] < MOST_CPUS) CPU_SET_S(cpus[i], CPU_ALLOC_SIZE(MOST_CPUS), set);
  }
  int result = sched_setaffinity(0, CPU_ALLOC_SIZE(MOST_CPUS), set);
  CPU_FREE(set);
  return result;
}

/// The quota one directory sets, in processors; 0 for none.
static double cpu_quota(const char *root, const char *directory) {
  char line[128];
  double quota = 0, period = 0;
  // "max 100000" does not scan as two numbers, and so means no quota.
  if (read_line(root, directory, "cpu.max", line, sizeof line))
    return sscanf(line, "%lf %lf", &quota, &period) == 2 && period > 0 ? quota / period : 0;
  if (!read_line(root, directory, "cpu.cfs_quota_us", line, sizeof line)) return 0;
  quota = strtod(line, NULL);
  if (!read_line(root, directory, "cpu.cfs_period_us", line, sizeof line)) return 0;
  period = strtod(line, NULL);
  return quota > 0 && period > 0 ? quota / period : 0;
}

/// The memory limit one directory sets, in bytes; 0 for none.
static double memory_limit(const char *root, const char *directory) {
  char line[128];
  if (!read_line(root, directory, "memory.max", line, sizeof line) &&
      !read_line(root, directory, "memory.limit_in_bytes", line, sizeof line))
    return 0;
  double bytes = strtod(line, NULL);
  // v1 says "none" with the largest multiple of a page that fits in 63 bits.
  return bytes < 0x1p62 ? bytes : 0;
}

/// The smallest limit above 0 in the directory `mount` + `path` and every one above it, up to
/// `mount` itself: an ancestor's limit binds too, and in a container whose control group namespace
/// is not its own the path is not visible below the mount, but the limits are at its root.
static double smallest(const char *root, const char *mount, const char *path,
                       double (*limit)(const char *, const char *)) {
  char directory[PATH_MAX];
  if (snprintf(directory, sizeof directory, "%s%s", mount, path) >= (int)sizeof directory)
    return 0;
  double least = 0;
  while (true) {
    double here = limit(root, directory);
    if (here > 0 && (least == 0 || here < least)) least = here;
    char *slash = strrchr(directory, '/');
    if (slash == NULL || (size_t)(slash - directory) < strlen(mount)) return least;
    *slash = '\0';
  }
}

/// Whether `name` is one of the names in a list with commas.
static bool lists(const char *names, const char *name) {
  size_t length = strlen(name);
  for (const char *at = names; (at = strstr(at, name)) != NULL; at += length) {
    bool starts = at == names || at[-1] == ',';
    if (starts && (at[length] == ',' || at[length] == '\0')) return true;
  }
  return false;
}

/// The smallest limit the process's control groups set for a controller. Lines of
/// `/proc/self/cgroup` are `0::/path` (v2) or `7:cpu,cpuacct:/path` (v1); cgroups(7).
static double controller_limit(const char *root, const char *controller,
                               double (*limit)(const char *, const char *)) {
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= (int)sizeof path) return 0;
  FILE *file = fopen(path, "re");
  if (file == NULL) return 0;
  double least = 0;
  char line[PATH_MAX];
  while (fgets(line, sizeof line, file) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    char *names = strchr(line, ':');
    char *group = names == NULL ? NULL : strchr(names + 1, ':');
    if (group == NULL) continue;
    *group++ = '\0';
    names++;
    if (strcmp(group, "/") == 0) group = "";
    char mount[PATH_MAX];
    double here = 0;
    if (*names == '\0') {
      here = smallest(root, "/sys/fs/cgroup", group, limit);
    } else if (lists(names, controller)) {
      if (snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", names) < (int)sizeof mount)
        here = smallest(root, mount, group, limit);
      if (here == 0 && snprintf(mount, sizeof mount, "/sys/fs/cgroup/%s", controller) > 0)
        here = smallest(root, mount, group, limit);
    }
    if (here > 0 && (least == 0 || here < least)) least = here;
  }
  fclose(file);
  return least;
}

double platform_cgroup_cpu_quota_below(const char *root) {
  return controller_limit(root, "cpu", cpu_quota);
}

uint64_t platform_cgroup_memory_limit_below(const char *root) {
  return (uint64_t)controller_limit(root, "memory", memory_limit);
}

double platform_cgroup_cpu_quota(void) { return platform_cgroup_cpu_quota_below(""); }

uint64_t platform_cgroup_memory_limit(void) { return platform_cgroup_memory_limit_below(""); }

uint64_t platform_resident_bytes(void) {
  char line[128];
  unsigned long long size = 0, resident = 0;
  if (!read_line("", "/proc/self", "statm", line, sizeof line)) return 0;
  if (sscanf(line, "%llu %llu", &size, &resident) != 2) return 0;
  return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void platform_return_freed_memory(void) {
  // By default the size from which blocks are mapped grows with the blocks that are freed, up to
  // 32 MiB: what large requests held would stay in the heap.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  mallopt(M_ARENA_MAX, 4);
}
