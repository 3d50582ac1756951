/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/hash.h"

#include <openssl/evp.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/strbuf.h"

static const struct {
  const char *name, *openssl;
} names[] = {
  { "md5", "MD5" },           { "sha1", "SHA1" },          { "sha224", "SHA224" },
  { "sha256", "SHA256" },     { "sha384", "SHA384" },      { "sha512", "SHA512" },
  { "sha3_224", "SHA3-224" }, { "sha3_256", "SHA3-256" },  { "sha3_384", "SHA3-384" },
  { "sha3_512", "SHA3-512" }, { "blake2b", "BLAKE2b512" }, { "blake2s", "BLAKE2s256" },
};

struct osm_hash {
  EVP_MD_CTX *context;
};

struct osm_hash *
osm_hash_new (const char *name)
{
  OSM_CLEANUP_HASH struct osm_hash *hash = osm_calloc (1, sizeof *hash);
  const EVP_MD *md = NULL;

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (osm_str_equal (names[i].name, name))
      md = EVP_get_digestbyname (names[i].openssl);
  hash->context = md ? EVP_MD_CTX_new () : NULL;
  /* Where only approved ones may be used MD5 is known, and refused. */
  if (!hash->context || EVP_DigestInit_ex (hash->context, md, NULL) != 1)
    return NULL;
  return osm_take (hash);
}

void
osm_hash_free (struct osm_hash *hash)
{
  if (!hash)
    return;
  EVP_MD_CTX_free (hash->context);
  free (hash);
}

void
osm_hash_add (struct osm_hash *hash, const void *data, size_t len)
{
  if (hash && EVP_DigestUpdate (hash->context, data, len) != 1)
    osm_oom ();
}

char *
osm_hash_text (struct osm_hash *hash)
{
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  OSM_STRBUF (b);

  if (!hash)
    return NULL;
  if (EVP_DigestFinal_ex (hash->context, digest, &len) != 1)
    osm_oom ();
  for (unsigned i = 0; i < len; i++)
    osm_strbuf_addf (&b, "%02x", digest[i]);
  return osm_strbuf_take (&b);
}
