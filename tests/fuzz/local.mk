# SPDX-License-Identifier: Apache-2.0

# Fuzz targets: built with clang and libFuzzer, from the sources and not from the libraries, so that
# everything in them is instrumented.
fuzz_names = agent bitmap client extents frames lists server zstd xfs
fuzz_programs = $(fuzz_names:%=tests/fuzz/fuzz-%)
fuzz_sources = \
	agent/surveyxfs.c \
	common/clock.c common/error.c common/file.c common/frame.c common/json.c common/log.c common/parse.c \
	common/quote.c common/ranges.c common/strbuf.c \
	controller/migration/manifest.c \
	nbd/badblocks.c nbd/bitmap.c nbd/client.c nbd/compression.c nbd/digest.c nbd/extents.c nbd/freemap.c \
	nbd/server.c nbd/volume.c nbd/zstd.c nbd/zstdstream.c
# The controller's side of its talk with an agent; the rest of it is in the target itself.
fuzz_agent_sources = \
	common/pace.c \
	controller/hosts/cipher.c \
	controller/migration/data.c controller/migration/devices.c controller/migration/sparse.c \
	controller/migration/verify.c \
	controller/ui/format.c controller/ui/ui.c controller/ui/width.c
fuzz_agent_objects = $(fuzz_agent_sources:%.c=tests/fuzz/objects/%.o)
fuzz_agent_ldflags = -Wl,--wrap=osm_wait_ms -Wl,--wrap=osm_chunks_save
fuzz_objects = $(fuzz_sources:%.c=tests/fuzz/objects/%.o)
FUZZ_CFLAGS = -std=gnu11 -g -O1 -pthread -fsanitize=address,undefined -fno-sanitize-recover=all

noinst_HEADERS += tests/fuzz/fuzz.h
EXTRA_DIST += tests/fuzz/check-fuzz.sh

tests/fuzz/objects/%.o: $(top_srcdir)/%.c config.h
	$(AM_V_CC)$(MKDIR_P) $(@D) && $(CLANG) $(DEFS) $(AM_CPPFLAGS) $(FUZZ_CFLAGS) \
	  -fsanitize=fuzzer-no-link -MD -c -o $@ $<
tests/fuzz/fuzz-%: $(top_srcdir)/tests/fuzz/fuzz-%.c $(fuzz_objects)
	$(AM_V_CCLD)test -n '$(CLANG)' || \
	  { echo 'clang with libFuzzer not found: apt-get install clang libclang-rt-14-dev' >&2; exit 1; }; \
	$(CLANG) $(DEFS) $(AM_CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $< $(filter %.o,$^) \
	  $(fuzz_$*_ldflags) $(JANSSON_LIBS) $(XXHASH_LIBS) $(ZSTD_LIBS) $(CRYPTO_LIBS)
tests/fuzz/fuzz-agent: $(fuzz_agent_objects)
.SECONDARY: $(fuzz_objects) $(fuzz_agent_objects)
-include $(fuzz_objects:.o=.d) $(fuzz_agent_objects:.o=.d)

fuzz: $(fuzz_programs)
check-fuzz: $(fuzz_programs)
	$(AM_V_at)top_builddir='$(abs_top_builddir)' $(top_srcdir)/tests/fuzz/check-fuzz.sh
phony_targets += fuzz check-fuzz

if CHECK_FUZZ
check_DATA += $(fuzz_programs)
plain_tests += tests/fuzz/check-fuzz.sh
endif

clean-local: clean-fuzz
clean-fuzz:
	rm -rf tests/fuzz/objects $(fuzz_programs)
phony_targets += clean-fuzz
