/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What client and server of NBD have in common: the protocol's numbers and their byte order. Only for nbd/. */

#ifndef OSM_NBD_WIRE_H
#define OSM_NBD_WIRE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* doc/proto.md, "Values" */
#define MAGIC_SERVER UINT64_C (0x4e42444d41474943)
#define MAGIC_OPTION UINT64_C (0x49484156454f5054)
#define MAGIC_OPTION_REPLY UINT64_C (0x0003e889045565a9)
#define MAGIC_REQUEST UINT32_C (0x25609513)
#define MAGIC_SIMPLE UINT32_C (0x67446698)
#define MAGIC_CHUNK UINT32_C (0x668e33ef)
#define FLAG_FIXED_NEWSTYLE 1u
#define FLAG_NO_ZEROES 2u
#define OPT_EXPORT_NAME 1u
#define OPT_ABORT 2u
#define OPT_LIST 3u
#define OPT_INFO 6u
#define OPT_GO 7u
#define OPT_STRUCTURED_REPLY 8u
#define OPT_LIST_META_CONTEXT 9u
#define OPT_SET_META_CONTEXT 10u
#define REP_ACK 1u
#define REP_SERVER 2u
#define REP_INFO 3u
#define REP_META_CONTEXT 4u
#define REP_ERROR (UINT32_C (1) << 31)
#define REP_ERR_UNSUP (REP_ERROR + 1)
#define REP_ERR_INVALID (REP_ERROR + 3)
#define INFO_EXPORT 0u
#define INFO_BLOCK_SIZE 3u
#define CMD_READ 0u
#define CMD_WRITE 1u
#define CMD_DISC 2u
#define CMD_TRIM 4u
#define CMD_BLOCK_STATUS 7u
#define CMD_WRITE_ZEROES 6u
#define CMD_FLAG_ONE (1u << 3)
#define CHUNK_DONE 1u
#define CHUNK_DATA 1u
#define CHUNK_STATUS 5u
#define CHUNK_ERROR (1u << 15)
#define STATE_HOLE_ZERO 3u
#define CONTEXT "base:allocation"
#define CHUNK_NONE 0u
#define CHUNK_HOLE 2u
#define STATE_ZERO 2u

static inline uint16_t
get16 (const char *p)
{
  uint16_t v;

  memcpy (&v, p, sizeof v);
  return be16toh (v);
}

static inline uint32_t
get32 (const char *p)
{
  uint32_t v;

  memcpy (&v, p, sizeof v);
  return be32toh (v);
}

static inline uint64_t
get64 (const char *p)
{
  uint64_t v;

  memcpy (&v, p, sizeof v);
  return be64toh (v);
}

static inline char *
put16 (char *p, uint16_t v)
{
  v = htobe16 (v);
  memcpy (p, &v, sizeof v);
  return p + sizeof v;
}

static inline char *
put32 (char *p, uint32_t v)
{
  v = htobe32 (v);
  memcpy (p, &v, sizeof v);
  return p + sizeof v;
}

static inline char *
put64 (char *p, uint64_t v)
{
  v = htobe64 (v);
  memcpy (p, &v, sizeof v);
  return p + sizeof v;
}

#endif
