/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/harden.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define SECRET "correct horse battery staple"

/* In a process of its own: 0 if all is as it should be. */
static int
in_child (int (*check) (void))
{
  pid_t pid = fork ();
  int status;

  if (pid == 0)
    _exit (check ());
  assert_int_equal (waitpid (pid, &status, 0), pid);
  return status;
}

static int
check_descriptors (void)
{
  int fd;

  close (0);
  close (1);
  close (2);
  osm_harden ();
  fd = open ("/dev/null", O_RDONLY);
  return fd <= 2 || fcntl (1, F_GETFD) != 0;
}

static void
closed_descriptors_are_filled (void **state)
{
  (void)state;
  assert_int_equal (in_child (check_descriptors), 0);
}

static int
check_core (void)
{
  struct rlimit limit;

  osm_harden ();
  if (getrlimit (RLIMIT_CORE, &limit) != 0 || limit.rlim_cur != 0 || limit.rlim_max != 0)
    return 1;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  if (prctl (PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
    return 2;
#endif
  return umask (0) == 077 ? 0 : 3;
}

static void
there_is_no_core_dump_and_files_are_private (void **state)
{
  (void)state;
  assert_int_equal (in_child (check_core), 0);
}

static int
check_json (void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 0; /* what is freed must not be looked at */
#else
  const char *preload = getenv ("LD_PRELOAD");
  json_t *value;
  const char *volatile text;

  if (preload && strstr (preload, "vgpreload"))
    return 0; /* valgrind, the same */
  osm_harden ();
  value = json_pack ("{s:s}", "password", SECRET);
  text = json_string_value (json_object_get (value, "password"));
  if (strcmp (text, SECRET) != 0)
    return 1;
  json_decref (value);
  /* malloc has its own notes in the first bytes. */
  return memmem ((const char *)text + 16, sizeof SECRET - 17, SECRET + 16, 4) ? 2 : 0;
#endif
}

static void
json_is_overwritten_when_it_is_freed (void **state)
{
  (void)state;
  assert_int_equal (in_child (check_json), 0);
}

static void
wiping_realloc_keeps_the_content (void **state)
{
  char *p = osm_wipe_and_realloc (NULL, sizeof SECRET);

  (void)state;
  memcpy (p, SECRET, sizeof SECRET);
  p = osm_wipe_and_realloc (p, 1 << 20);
  assert_string_equal (p, SECRET);
  p = osm_wipe_and_realloc (p, 7);
  assert_memory_equal (p, SECRET, 7);
  osm_wipe_and_free (p);
  osm_wipe_and_free (NULL);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (closed_descriptors_are_filled),
    cmocka_unit_test (there_is_no_core_dump_and_files_are_private),
    cmocka_unit_test (json_is_overwritten_when_it_is_freed),
    cmocka_unit_test (wiping_realloc_keeps_the_content),
  };

  return cmocka_run_group_tests_name ("common/harden", tests, NULL, NULL);
}
