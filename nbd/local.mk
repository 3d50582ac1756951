# SPDX-License-Identifier: Apache-2.0

# SSH alone, for the controller, which carries no volume data.
noinst_LTLIBRARIES += nbd/libosmssh.la
nbd_libosmssh_la_SOURCES = \
	nbd/sshcarrier.c nbd/sshcarrier.h \
	nbd/sshconn.c nbd/sshconn.h \
	nbd/sshkey.c nbd/sshkey.h
nbd_libosmssh_la_LIBADD = common/libosmcommon.la $(LIBSSH_LIBS)

noinst_LTLIBRARIES += nbd/libosmnbd.la
nbd_libosmnbd_la_SOURCES = \
	nbd/badblocks.c nbd/badblocks.h \
	nbd/bitmap.c nbd/bitmap.h \
	nbd/client.c nbd/client.h \
	nbd/compression.c nbd/compression.h \
	nbd/copy.c nbd/copy.h \
	nbd/destination.c nbd/destination.h \
	nbd/digest.c nbd/digest.h \
	nbd/extents.c nbd/extents.h \
	nbd/freemap.c nbd/freemap.h \
	nbd/freepass.c \
	nbd/linktest.c nbd/linktest.h \
	nbd/range.c nbd/range.h \
	nbd/reads.h \
	nbd/server.c nbd/server.h \
	nbd/serversocket.c \
	nbd/source.c nbd/source.h \
	nbd/sshexec.c nbd/sshexec.h \
	nbd/sshknown.c nbd/sshknown.h \
	nbd/stream.c nbd/stream.h \
	nbd/throttle.c nbd/throttle.h \
	nbd/tunnel.c nbd/tunnel.h \
	nbd/volume.c nbd/volume.h \
	nbd/wire.h \
	nbd/worker.c nbd/worker.h \
	nbd/zstd.c nbd/zstd.h \
	nbd/zstdserver.c nbd/zstdserver.h \
	nbd/zstdstream.c nbd/zstdstream.h
nbd_libosmnbd_la_LIBADD = nbd/libosmssh.la $(XXHASH_LIBS) $(ZSTD_LIBS) $(CRYPTO_LIBS)

noinst_PROGRAMS += tests/functional/copy-driver
tests_functional_copy_driver_SOURCES = tests/functional/copy-driver.c
tests_functional_copy_driver_LDADD = nbd/libosmnbd.la
script_tests += \
	tests/functional/nbd-copy.py \
	tests/functional/nbd-faults.py \
	tests/functional/nbd-server.py
plain_tests += tests/functional/nbd-compress.py

unit_tests += \
	tests/unit/test-nbd-badblocks \
	tests/unit/test-nbd-bitmap \
	tests/unit/test-nbd-client \
	tests/unit/test-nbd-compression \
	tests/unit/test-nbd-destination \
	tests/unit/test-nbd-digest \
	tests/unit/test-nbd-extents \
	tests/unit/test-nbd-freemap \
	tests/unit/test-nbd-range \
	tests/unit/test-nbd-server \
	tests/unit/test-nbd-sshcarrier \
	tests/unit/test-nbd-sshkey \
	tests/unit/test-nbd-sshknown \
	tests/unit/test-nbd-throttle \
	tests/unit/test-nbd-zstd
tests_unit_test_nbd_badblocks_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_bitmap_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_client_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_compression_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_zstd_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_destination_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_digest_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_extents_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_freemap_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_range_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_server_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_sshknown_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_sshcarrier_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_sshkey_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
tests_unit_test_nbd_throttle_LDADD = nbd/libosmnbd.la $(CMOCKA_LIBS)
