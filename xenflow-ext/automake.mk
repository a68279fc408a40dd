# Copyright (c) 2026 The XenFlow Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at:
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

# Included by upstream's Makefile.am (vswitchd-patches/0001-*).  boot.sh links
# our folders into the upstream tree, where these paths lead through the links:
# xenflow-ext, xf-tests (tests/) and xf-utilities (utilities/).
#
# Each list is sorted; name only files that exist.

AM_CPPFLAGS += -I $(top_srcdir)/xenflow-ext
AM_CPPFLAGS += -I $(top_srcdir)/xenflow-ext/include

# Warnings are errors, in our own files alone.
xenflow-ext/%.lo xenflow-ext/%.o xf-tests/%.o xf-utilities/%.o: AM_CFLAGS += -Werror

# What lib/ itself calls: odp-util and odp-execute format, parse and size our
# datapath action, and the userspace datapath carries it out.
lib_libopenvswitch_la_SOURCES += \
	xenflow-ext/core/counted.c \
	xenflow-ext/core/counted.h \
	xenflow-ext/core/fib-check.c \
	xenflow-ext/core/fib-lookup-avx512.c \
	xenflow-ext/core/fib-lookup.c \
	xenflow-ext/core/fib-private.h \
	xenflow-ext/core/fib.c \
	xenflow-ext/core/fib.h \
	xenflow-ext/core/numbers.c \
	xenflow-ext/core/numbers.h \
	xenflow-ext/core/prefix-trie.c \
	xenflow-ext/core/prefix-trie.h \
	xenflow-ext/core/rule-table-fib.c \
	xenflow-ext/core/rule-table-fib.h \
	xenflow-ext/core/rule-table-follow.c \
	xenflow-ext/core/rule-table-follow.h \
	xenflow-ext/core/rule-table-iface.c \
	xenflow-ext/core/rule-table-lookup.c \
	xenflow-ext/core/rule-table-neigh.c \
	xenflow-ext/core/rule-table-nexthop.c \
	xenflow-ext/core/rule-table-private.h \
	xenflow-ext/core/rule-table-route.c \
	xenflow-ext/core/rule-table-show.c \
	xenflow-ext/core/rule-table.c \
	xenflow-ext/core/rule-table.h \
	xenflow-ext/core/types.c \
	xenflow-ext/include/xenflow/types.h \
	xenflow-ext/seam/xf-dpif-netdev.h \
	xenflow-ext/seam/xf-counters.c \
	xenflow-ext/seam/xf-counters.h \
	xenflow-ext/seam/xf-fwd.c \
	xenflow-ext/seam/xf-fwd.h \
	xenflow-ext/seam/xf-hold.c \
	xenflow-ext/seam/xf-hold.h \
	xenflow-ext/seam/xf-mem.c \
	xenflow-ext/seam/xf-mem.h \
	xenflow-ext/seam/xf-packet.h \
	xenflow-ext/seam/xf-odp.c \
	xenflow-ext/seam/xf-odp.h \
	xenflow-ext/seam/xf-rx.c \
	xenflow-ext/seam/xf-rx.h \
	xenflow-ext/seam/xf-tx.c \
	xenflow-ext/seam/xf-tx.h

# All else of the switch.  Programs link ofproto/libofproto.la before
# lib/libopenvswitch.la, so it may call the above and all of lib/.
ofproto_libofproto_la_SOURCES += \
	xenflow-ext/core/link-probe.c \
	xenflow-ext/core/link-probe.h \
	xenflow-ext/core/link-table.c \
	xenflow-ext/core/link-table.h \
	xenflow-ext/core/migration.c \
	xenflow-ext/core/migration.h \
	xenflow-ext/core/mirror-news.c \
	xenflow-ext/core/mirror-news.h \
	xenflow-ext/core/mirror.c \
	xenflow-ext/core/mirror.h \
	xenflow-ext/core/path.c \
	xenflow-ext/core/path.h \
	xenflow-ext/core/rule-match.c \
	xenflow-ext/core/rule-match.h \
	xenflow-ext/core/rule-set.c \
	xenflow-ext/core/rule-set.h \
	xenflow-ext/core/wire-attr.c \
	xenflow-ext/core/wire-attr.h \
	xenflow-ext/core/wire-copy.c \
	xenflow-ext/core/wire-copy.h \
	xenflow-ext/core/wire-encode.c \
	xenflow-ext/core/wire-guest.c \
	xenflow-ext/core/wire-guest.h \
	xenflow-ext/core/wire-link.c \
	xenflow-ext/core/wire-put.c \
	xenflow-ext/core/wire-put.h \
	xenflow-ext/core/wire.c \
	xenflow-ext/core/wire.h \
	xenflow-ext/engine/args.c \
	xenflow-ext/engine/change.c \
	xenflow-ext/engine/command.c \
	xenflow-ext/engine/config-db.c \
	xenflow-ext/engine/config-entry.c \
	xenflow-ext/engine/config-stated.c \
	xenflow-ext/engine/config.c \
	xenflow-ext/engine/config.h \
	xenflow-ext/engine/copy-client.c \
	xenflow-ext/engine/copy-counts.c \
	xenflow-ext/engine/copy-private.h \
	xenflow-ext/engine/copy-server.c \
	xenflow-ext/engine/copy-show.c \
	xenflow-ext/engine/copy.c \
	xenflow-ext/engine/copy.h \
	xenflow-ext/engine/db-conn.c \
	xenflow-ext/engine/db-link.c \
	xenflow-ext/engine/db-row.c \
	xenflow-ext/engine/db-show.c \
	xenflow-ext/engine/db-write.c \
	xenflow-ext/engine/db.c \
	xenflow-ext/engine/db.h \
	xenflow-ext/engine/engine-private.h \
	xenflow-ext/engine/engine.c \
	xenflow-ext/engine/engine.h \
	xenflow-ext/engine/fib.c \
	xenflow-ext/engine/link-args.c \
	xenflow-ext/engine/link-private.h \
	xenflow-ext/engine/link-probe.c \
	xenflow-ext/engine/link-show.c \
	xenflow-ext/engine/link.c \
	xenflow-ext/engine/link.h \
	xenflow-ext/engine/neigh.c \
	xenflow-ext/engine/output.c \
	xenflow-ext/engine/role-show.c \
	xenflow-ext/engine/role.c \
	xenflow-ext/engine/role.h \
	xenflow-ext/engine/route.c \
	xenflow-ext/engine/router.c \
	xenflow-ext/engine/rules-args.c \
	xenflow-ext/engine/rules-show.c \
	xenflow-ext/engine/rules.c \
	xenflow-ext/engine/rules.h \
	xenflow-ext/engine/select.c \
	xenflow-ext/engine/show.c \
	xenflow-ext/engine/speaker-apply.c \
	xenflow-ext/engine/speaker-conn.c \
	xenflow-ext/engine/speaker-copy.c \
	xenflow-ext/engine/speaker-guest.c \
	xenflow-ext/engine/speaker-nexthop.c \
	xenflow-ext/engine/speaker-private.h \
	xenflow-ext/engine/speaker-ready.c \
	xenflow-ext/engine/speaker-ready.h \
	xenflow-ext/engine/speaker-show.c \
	xenflow-ext/engine/speaker-tls.c \
	xenflow-ext/engine/speaker-tls.h \
	xenflow-ext/engine/speaker.c \
	xenflow-ext/engine/speaker.h \
	xenflow-ext/engine/stats.c \
	xenflow-ext/engine/transfer.c \
	xenflow-ext/include/xenflow/actions.h \
	xenflow-ext/include/xenflow/hops.h \
	xenflow-ext/include/xenflow/ports.h \
	xenflow-ext/include/xenflow/switch.h \
	xenflow-ext/seam/xf-credit.c \
	xenflow-ext/seam/xf-credit.h \
	xenflow-ext/seam/xf-ports.c \
	xenflow-ext/seam/xf-ports.h \
	xenflow-ext/seam/xf-snoop.h \
	xenflow-ext/seam/xf-switch.c \
	xenflow-ext/seam/xf-switch.h \
	xenflow-ext/seam/xf-xlate-link.h \
	xenflow-ext/seam/xf-xlate-roles.h \
	xenflow-ext/seam/xf-xlate-rules.h \
	xenflow-ext/seam/xf-xlate.h

# What ovsdb-server calls, and the TLS of all programs.
ovsdb_libovsdb_la_SOURCES += \
	xenflow-ext/seam/xf-allow.c \
	xenflow-ext/seam/xf-allow.h
if HAVE_OPENSSL
lib_libopenvswitch_la_SOURCES += \
	xenflow-ext/seam/xf-tls-verify.c \
	xenflow-ext/seam/xf-tls-verify.h
endif

# The database "XenFlow": schema, C bindings, manual page.
EXTRA_DIST += \
	xenflow-ext/xenflow-idl.ann \
	xenflow-ext/xenflow.ovsschema \
	xenflow-ext/xenflow.xml
pkgdata_DATA += xenflow-ext/xenflow.ovsschema
OVSIDL_BUILT += \
	xenflow-ext/xenflow-idl.c \
	xenflow-ext/xenflow-idl.h \
	xenflow-ext/xenflow-idl.ovsidl
xenflow-ext/xenflow-idl.ovsidl: \
	xenflow-ext/xenflow.ovsschema xenflow-ext/xenflow-idl.ann
	$(AM_V_GEN)$(OVSDB_IDLC) annotate \
		$(srcdir)/xenflow-ext/xenflow.ovsschema \
		$(srcdir)/xenflow-ext/xenflow-idl.ann > $@.tmp && mv $@.tmp $@

nodist_lib_libopenvswitch_la_SOURCES += \
	xenflow-ext/xenflow-idl.c \
	xenflow-ext/xenflow-idl.h

man_MANS += xenflow-ext/xenflow.5
CLEANFILES += xenflow-ext/xenflow.5
xenflow-ext/xenflow.5: \
	ovsdb/ovsdb-doc xenflow-ext/xenflow.ovsschema xenflow-ext/xenflow.xml
	$(AM_V_GEN)$(OVSDB_DOC) --version=$(VERSION) \
		$(srcdir)/xenflow-ext/xenflow.ovsschema \
		$(srcdir)/xenflow-ext/xenflow.xml > $@.tmp && mv $@.tmp $@

# Whether the schema's checksum, and so its version, was cared for.
ALL_LOCAL += xenflow-ext/xenflow.ovsschema.stamp
CLEANFILES += xenflow-ext/xenflow.ovsschema.stamp
xenflow-ext/xenflow.ovsschema.stamp: xenflow-ext/xenflow.ovsschema
	$(srcdir)/build-aux/cksum-schema-check $? $@

# Programs.
bin_SCRIPTS += xf-utilities/xenflow-db
bin_PROGRAMS += utilities/xenflow-guestd
utilities_xenflow_guestd_SOURCES = \
	xf-utilities/xenflow-guestd-host.c \
	xf-utilities/xenflow-guestd-host.h \
	xf-utilities/xenflow-guestd-kernel.c \
	xf-utilities/xenflow-guestd-kernel.h \
	xf-utilities/xenflow-guestd-load.c \
	xf-utilities/xenflow-guestd-load.h \
	xf-utilities/xenflow-guestd.c
utilities_xenflow_guestd_LDADD = ofproto/libofproto.la lib/libopenvswitch.la

# Needs nothing but a kernel: "make utilities/xenflow-guestd-static".
EXTRA_PROGRAMS += utilities/xenflow-guestd-static
CLEANFILES += utilities/xenflow-guestd-static
utilities_xenflow_guestd_static_SOURCES = \
	$(utilities_xenflow_guestd_SOURCES) \
	xf-utilities/xenflow-guestd-static.c
XF_STATIC_LIBS = ofproto/.libs/libofproto.a lib/.libs/libopenvswitch.a \
	$(SSL_LIBS) $(CAPNG_LDADD) -lpthread -lm
utilities_xenflow_guestd_static_LDADD = $(XF_STATIC_LIBS)
utilities_xenflow_guestd_static_DEPENDENCIES = \
	ofproto/libofproto.la lib/libopenvswitch.la
utilities_xenflow_guestd_static_LINK = \
	$(CCLD) $(AM_CFLAGS) $(CFLAGS) -static -s -o $@

# xenflow-ext/domain/xen-light*.c see by themselves if libxenlight is there.
XF_XEN_PACKAGES = xenlight xentoollog xenstore
XF_XEN_LIBS = $(shell pkg-config "--libs" $(XF_XEN_PACKAGES) 2>/dev/null)
bin_PROGRAMS += utilities/xenflow-hostd
XF_DOMAIN_SOURCES = \
	xenflow-ext/domain/config.c \
	xenflow-ext/domain/cpio.c \
	xenflow-ext/domain/cpio.h \
	xenflow-ext/domain/domain-private.h \
	xenflow-ext/domain/domain.c \
	xenflow-ext/domain/dummy.c \
	xenflow-ext/domain/image.c \
	xenflow-ext/domain/image.h \
	xenflow-ext/domain/kvm.c \
	xenflow-ext/domain/frame.c \
	xenflow-ext/domain/kvm.h \
	xenflow-ext/domain/move-domain.c \
	xenflow-ext/domain/move.c \
	xenflow-ext/domain/move.h \
	xenflow-ext/domain/process.c \
	xenflow-ext/domain/process.h \
	xenflow-ext/domain/qemu-launch.c \
	xenflow-ext/domain/qemu-memory.c \
	xenflow-ext/domain/qemu-move.c \
	xenflow-ext/domain/qemu-private.h \
	xenflow-ext/domain/qemu.c \
	xenflow-ext/domain/qmp.c \
	xenflow-ext/domain/qmp.h \
	xenflow-ext/domain/show.c \
	xenflow-ext/domain/tap.c \
	xenflow-ext/domain/tap.h \
	xenflow-ext/domain/xen-light-move.c \
	xenflow-ext/domain/xen-light-private.h \
	xenflow-ext/domain/xen-light.c \
	xenflow-ext/domain/xen-move.c \
	xenflow-ext/domain/xen-private.h \
	xenflow-ext/domain/xen.c \
	xenflow-ext/include/xenflow/domain.h \
	xenflow-ext/include/xenflow/frame.h
utilities_xenflow_hostd_SOURCES = \
	$(XF_DOMAIN_SOURCES) \
	xf-utilities/xenflow-hostd-ask.c \
	xf-utilities/xenflow-hostd-channel.c \
	xf-utilities/xenflow-hostd-frr.c \
	xf-utilities/xenflow-hostd-guest.c \
	xf-utilities/xenflow-hostd-host.c \
	xf-utilities/xenflow-hostd-join.c \
	xf-utilities/xenflow-hostd-load.c \
	xf-utilities/xenflow-hostd-measure.c \
	xf-utilities/xenflow-hostd-measure.h \
	xf-utilities/xenflow-hostd-move-destination.c \
	xf-utilities/xenflow-hostd-move-source.c \
	xf-utilities/xenflow-hostd-move.c \
	xf-utilities/xenflow-hostd-move.h \
	xf-utilities/xenflow-hostd-ospf.c \
	xf-utilities/xenflow-hostd-port.c \
	xf-utilities/xenflow-hostd-probe.c \
	xf-utilities/xenflow-hostd-queue.c \
	xf-utilities/xenflow-hostd-router.c \
	xf-utilities/xenflow-hostd-trace.c \
	xf-utilities/xenflow-hostd.c \
	xf-utilities/xenflow-hostd.h \
	xf-utilities/xenflow-ospf.c \
	xf-utilities/xenflow-ospf.h
utilities_xenflow_hostd_LDADD = \
	lib/libopenvswitch.la $(SSL_LIBS) $(XF_XEN_LIBS)

# Who has carried out what, and what speaks against a migration, for xfctl and
# xenflow-manager.
XF_CHECK_SOURCES = \
	xf-utilities/xenflow-check.c \
	xf-utilities/xenflow-check.h \
	xf-utilities/xenflow-late.c \
	xf-utilities/xenflow-late.h

bin_PROGRAMS += utilities/xenflow-manager
utilities_xenflow_manager_SOURCES = \
	$(XF_CHECK_SOURCES) \
	$(XF_PLAN_SOURCES) \
	xf-utilities/xenflow-manager-repair.c \
	xf-utilities/xenflow-manager-run.c \
	xf-utilities/xenflow-manager-see.c \
	xf-utilities/xenflow-manager-write.c \
	xf-utilities/xenflow-manager.c \
	xf-utilities/xenflow-manager.h \
	xf-utilities/xenflow-openflow.c \
	xf-utilities/xenflow-openflow.h
utilities_xenflow_manager_LDADD = \
	ofproto/libofproto.la lib/libopenvswitch.la $(SSL_LIBS)

bin_PROGRAMS += utilities/xenflow-slice
utilities_xenflow_slice_SOURCES = \
	xenflow-ext/slice/config.c \
	xenflow-ext/slice/features.c \
	xenflow-ext/slice/frame.c \
	xenflow-ext/slice/group.c \
	xenflow-ext/slice/modify.c \
	xenflow-ext/slice/receive.c \
	xenflow-ext/slice/request.c \
	xenflow-ext/slice/show.c \
	xenflow-ext/slice/slice-private.h \
	xenflow-ext/slice/slice.c \
	xenflow-ext/slice/slice.h \
	xenflow-ext/slice/stats.c \
	xenflow-ext/slice/sync.c \
	xenflow-ext/slice/translate.c \
	xf-utilities/xenflow-slice-link.c \
	xf-utilities/xenflow-slice-link.h \
	xf-utilities/xenflow-slice.c
utilities_xenflow_slice_LDADD = lib/libopenvswitch.la $(SSL_LIBS)

bin_PROGRAMS += utilities/xenflow-traffic
utilities_xenflow_traffic_SOURCES = \
	xf-utilities/xenflow-traffic-receive.c \
	xf-utilities/xenflow-traffic.c \
	xf-utilities/xenflow-traffic.h

# Ways of virtual links, for xfctl and xenflow-manager, which link
# ofproto/libofproto.la for core/path.
XF_PLAN_SOURCES = \
	xf-utilities/xenflow-plan-private.h \
	xf-utilities/xenflow-plan-row.c \
	xf-utilities/xenflow-plan-session.c \
	xf-utilities/xenflow-plan.c \
	xf-utilities/xenflow-plan.h

bin_PROGRAMS += utilities/xfctl
utilities_xfctl_SOURCES = \
	$(XF_CHECK_SOURCES) \
	$(XF_PLAN_SOURCES) \
	xf-utilities/xfctl-check.c \
	xf-utilities/xfctl-child.c \
	xf-utilities/xfctl-export.c \
	xf-utilities/xfctl-file.c \
	xf-utilities/xfctl-import.c \
	xf-utilities/xfctl-kind.c \
	xf-utilities/xfctl-link.c \
	xf-utilities/xfctl-migrate.c \
	xf-utilities/xfctl-object.c \
	xf-utilities/xfctl-place.c \
	xf-utilities/xfctl-rules.c \
	xf-utilities/xfctl-show.c \
	xf-utilities/xfctl-trace.c \
	xf-utilities/xfctl-value.c \
	xf-utilities/xfctl-vm.c \
	xf-utilities/xfctl-wait.c \
	xf-utilities/xfctl-watch.c \
	xf-utilities/xfctl.c \
	xf-utilities/xfctl.h
utilities_xfctl_LDADD = ofproto/libofproto.la lib/libopenvswitch.la

# Test programs, one per module: tests/test-xf-MODULE.c.  For each:
#
#   noinst_PROGRAMS += tests/test-xf-MODULE
#   tests_test_xf_MODULE_SOURCES = xf-tests/test-xf-MODULE.c
#   tests_test_xf_MODULE_LDADD = $(XF_LIBS)
#
# (In the names of variables '-' of MODULE becomes '_'.)
XF_LIBS = ofproto/libofproto.la lib/libopenvswitch.la

noinst_PROGRAMS += tests/test-xf-domain
tests_test_xf_domain_SOURCES = \
	$(XF_DOMAIN_SOURCES) \
	xf-tests/test-xf-domain.c
tests_test_xf_domain_LDADD = $(XF_LIBS) $(XF_XEN_LIBS)

noinst_PROGRAMS += tests/test-xf-engine
tests_test_xf_engine_SOURCES = \
	xf-tests/fake-switch.c \
	xf-tests/fake-switch.h \
	xf-tests/test-xf-engine.c
tests_test_xf_engine_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-fib
tests_test_xf_fib_SOURCES = \
	xf-tests/test-xf-fib-cases.c \
	xf-tests/test-xf-fib-readers.c \
	xf-tests/test-xf-fib.c \
	xf-tests/test-xf-fib.h
tests_test_xf_fib_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-mem
tests_test_xf_mem_SOURCES = xf-tests/test-xf-mem.c
tests_test_xf_mem_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-guestd
tests_test_xf_guestd_SOURCES = \
	xf-tests/test-xf-guestd.c \
	xf-tests/xf-text.c \
	xf-tests/xf-text.h
tests_test_xf_guestd_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-link
tests_test_xf_link_SOURCES = xf-tests/test-xf-link.c
tests_test_xf_link_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-listener
tests_test_xf_listener_SOURCES = \
	xf-tests/test-xf-listener.c \
	xf-tests/xf-text.c \
	xf-tests/xf-text.h
tests_test_xf_listener_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-migration
tests_test_xf_migration_SOURCES = xf-tests/test-xf-migration.c
tests_test_xf_migration_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-ospf
tests_test_xf_ospf_SOURCES = \
	xf-tests/test-xf-ospf.c \
	xf-utilities/xenflow-ospf.c \
	xf-utilities/xenflow-ospf.h
tests_test_xf_ospf_LDADD = lib/libopenvswitch.la

noinst_PROGRAMS += tests/test-xf-path
tests_test_xf_path_SOURCES = xf-tests/test-xf-path.c
tests_test_xf_path_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-plan
tests_test_xf_plan_SOURCES = \
	$(XF_PLAN_SOURCES) \
	xf-tests/test-xf-plan.c
tests_test_xf_plan_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-rule-set
tests_test_xf_rule_set_SOURCES = xf-tests/test-xf-rule-set.c
tests_test_xf_rule_set_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-rule-table
tests_test_xf_rule_table_SOURCES = \
	xf-tests/test-xf-rule-table-load.c \
	xf-tests/test-xf-rule-table-model.c \
	xf-tests/test-xf-rule-table-oracle.c \
	xf-tests/test-xf-rule-table-script.c \
	xf-tests/test-xf-rule-table.c \
	xf-tests/test-xf-rule-table.h
tests_test_xf_rule_table_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-slice
tests_test_xf_slice_SOURCES = \
	xenflow-ext/slice/config.c \
	xenflow-ext/slice/features.c \
	xenflow-ext/slice/frame.c \
	xenflow-ext/slice/group.c \
	xenflow-ext/slice/modify.c \
	xenflow-ext/slice/receive.c \
	xenflow-ext/slice/request.c \
	xenflow-ext/slice/show.c \
	xenflow-ext/slice/slice-private.h \
	xenflow-ext/slice/slice.c \
	xenflow-ext/slice/slice.h \
	xenflow-ext/slice/stats.c \
	xenflow-ext/slice/sync.c \
	xenflow-ext/slice/translate.c \
	xf-tests/test-xf-slice-check.c \
	xf-tests/test-xf-slice.c \
	xf-tests/test-xf-slice.h
tests_test_xf_slice_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-speaker
tests_test_xf_speaker_SOURCES = \
	xf-tests/test-xf-speaker.c \
	xf-tests/xf-churn.c \
	xf-tests/xf-churn.h \
	xf-tests/xf-text.c \
	xf-tests/xf-text.h
tests_test_xf_speaker_LDADD = $(XF_LIBS)

noinst_PROGRAMS += tests/test-xf-wire
tests_test_xf_wire_SOURCES = xf-tests/test-xf-wire.c
tests_test_xf_wire_LDADD = $(XF_LIBS)

# Benchmarks beside DPDK's libraries: "make tests/bench-xf-fib".
if DPDK_NETDEV
EXTRA_PROGRAMS += tests/bench-xf-fib
CLEANFILES += tests/bench-xf-fib
tests_bench_xf_fib_SOURCES = \
	xf-tests/perf/bench-fib-routes.c \
	xf-tests/perf/bench-fib-tables.c \
	xf-tests/perf/bench-fib.c \
	xf-tests/perf/bench-fib.h
tests_bench_xf_fib_LDFLAGS = $(AM_LDFLAGS) $(DPDK_vswitchd_LDFLAGS)
tests_bench_xf_fib_LDADD = $(XF_LIBS)
endif
