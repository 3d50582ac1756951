/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "common/cleanup.h"
#include "common/frame.h"
#include "common/json.h"
#include "tests/fuzz/fuzz.h"

/* Whole frames from a stream that comes in pieces; the first byte says how long these are. What was taken is sent again and must be
 * the same when it comes back. */

static void
take_again (const json_t *object)
{
  struct osm_frame_parser p = { 0 };
  OSM_CLEANUP_FREE char *data = NULL;
  OSM_CLEANUP_JSON json_t *again = NULL;
  size_t len;
  OSM_ERROR (err);

  if (osm_frame_encode (object, &data, &len, &err) == -1)
    return; /* escapes may make it longer than a frame */
  ASSERT (osm_frame_parser_feed (&p, data, len, &err) == 0);
  ASSERT (osm_frame_parser_take (&p, &again, &err) == 0 && again);
  ASSERT (json_equal ((json_t *)object, again));
  osm_frame_parser_done (&p);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct osm_frame_parser p = { 0 };
  size_t piece;

  if (size == 0)
    return 0;
  piece = data[0] ? data[0] : size;
  data++;
  size--;
  while (size > 0) {
    size_t n = size < piece ? size : piece;
    OSM_ERROR (err);

    if (osm_frame_parser_feed (&p, data, n, &err) == -1)
      break;
    data += n;
    size -= n;
    for (;;) {
      OSM_CLEANUP_JSON json_t *frame = NULL;
      OSM_ERROR (why);

      if (osm_frame_parser_take (&p, &frame, &err) == -1)
        goto out;
      if (!frame)
        break;
      ASSERT (json_is_object (frame));
      ASSERT (osm_error_from_json (json_object_get (frame, "error"), &why) == -1);
      ASSERT (osm_error_is_set (&why));
      take_again (frame);
    }
  }
out:
  osm_frame_parser_done (&p);
  return 0;
}
