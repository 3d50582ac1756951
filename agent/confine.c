/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define MEMORY_BYTES (UINT64_C (1) << 30)
#define CPU_SECONDS 30

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

static int
set_limits (struct osm_error *err)
{
  const struct {
    __rlimit_resource_t resource;
    rlim_t value;
  } limits[] = {
    { RLIMIT_CORE, 0 },
    { RLIMIT_FSIZE, 0 },
    { RLIMIT_CPU, CPU_SECONDS },
#ifndef OSM_SANITIZERS /* their shadow memory is larger than any limit */
    { RLIMIT_AS, MEMORY_BYTES },
#endif
  };

  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    const struct rlimit limit = { .rlim_cur = limits[i].value, .rlim_max = limits[i].value };

    if (setrlimit (limits[i].resource, &limit) == -1)
      return osm_error_set_errno (err, errno, "limits of a process");
  }
  return 0;
}

#ifndef ARCHITECTURE

int
osm_confine (struct osm_error *err)
{
  (void)set_limits;
  return osm_error_set (err, OSM_ERROR_USER, ENOSYS,
                        "osm-agent cannot confine processes on this architecture");
}

#else

#define LOAD(field) BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, field))
#define RETURN(value) BPF_STMT (BPF_RET | BPF_K, (value))
/* The accumulator holds the number of the call. */
#define ALLOW(name) \
  BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), RETURN (SECCOMP_RET_ALLOW)
/* Memory that can be executed is not to be had. */
#define ALLOW_UNLESS_EXECUTABLE(name)                                                     \
  BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD (args[2]),                \
      BPF_JUMP (BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0), RETURN (SECCOMP_RET_ALLOW), \
      RETURN (SECCOMP_RET_ERRNO | EPERM)

int
osm_confine (struct osm_error *err)
{
  static struct sock_filter filter[] = {
    LOAD (arch),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
    RETURN (SECCOMP_RET_KILL_PROCESS),
    LOAD (nr),
    ALLOW (pread64),
    ALLOW (read),
    ALLOW (lseek),
    ALLOW (write),
    ALLOW (munmap),
    ALLOW (brk),
    ALLOW (mremap),
    ALLOW (madvise),
    ALLOW (fstat),
    ALLOW (newfstatat),
    ALLOW (fadvise64),
    ALLOW (dup),
    ALLOW (close),
    ALLOW (futex),
    ALLOW (getpid),
    ALLOW (clock_gettime),
    ALLOW (gettimeofday),
    ALLOW (getrandom),
    ALLOW (rt_sigreturn),
    ALLOW (rt_sigprocmask),
    ALLOW (exit),
    ALLOW (exit_group),
    ALLOW_UNLESS_EXECUTABLE (mmap),
    ALLOW_UNLESS_EXECUTABLE (mprotect),
    /* What kind of descriptor is it, and no more. */
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, __NR_fcntl, 0, 4),
    LOAD (args[1]),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, F_GETFD, 1, 0),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, F_GETFL, 0, 1),
    RETURN (SECCOMP_RET_ALLOW),
    RETURN (SECCOMP_RET_ERRNO | EPERM),
  };
  const struct sock_fprog program = { .len = sizeof filter / sizeof filter[0], .filter = filter };

  if (set_limits (err) == -1)
    return -1;
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
      prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == -1)
    return osm_error_set (err, OSM_ERROR_USER, ENOSYS, "this kernel confines no process: %s",
                          strerror (errno));
  return 0;
}

#endif
