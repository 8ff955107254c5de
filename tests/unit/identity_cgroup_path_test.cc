// SPDX-License-Identifier: Apache-2.0
#include "identity/cgroup_path.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace isoscope::identity {
namespace {

const std::string id = "3f4e1d2c5b6a79880123456789abcdef0123456789abcdef0123456789abcdef";
const std::string other = "99887766554433221100ffeeddccbbaa99887766554433221100ffeeddccbbaa";
const std::string uid = "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55";
const std::string uid_slice = "0b54fd9b_6a1f_4d2e_8c1c_2f0a3c9d7e55";

struct Case {
  std::string path;
  UnitKind kind;
  std::string unit_id;
  std::string name;
  std::string runtime;
  std::string root;  // the unit's own cgroup; empty: the whole path
};

void check(const std::vector<Case>& cases) {
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.path);
    const auto found = parse_cgroup_path(expected.path);
    ASSERT_TRUE(found);
    EXPECT_STREQ(to_string(found->kind), to_string(expected.kind));
    EXPECT_EQ(found->id, expected.unit_id);
    EXPECT_EQ(found->name, expected.name);
    EXPECT_EQ(found->runtime, expected.runtime);
    EXPECT_EQ(expected.path.substr(0, found->root_bytes),
              expected.root.empty() ? expected.path : expected.root);
  }
}

Case container(const std::string& path, const std::string& runtime, const std::string& root = "",
               const std::string& unit_id = id) {
  return {path, UnitKind::container, unit_id, is_full_id(unit_id) ? unit_id.substr(0, 12) : unit_id, runtime,
          root};
}
Case pod(const std::string& path, const std::string& pod_uid = uid, const std::string& root = "") {
  return {path, UnitKind::pod, pod_uid, pod_uid, "kubernetes", root};
}
Case vm(const std::string& path, const std::string& name, const std::string& root = "") {
  return {path, UnitKind::vm, root.empty() ? path : root, name, "libvirt", root};
}
Case service(const std::string& path, const std::string& name, const std::string& root = "") {
  return {path, UnitKind::service, root.empty() ? path : root, name, "", root};
}
Case plain(const std::string& path) {
  return {path, UnitKind::cgroup, path, path, "", ""};
}

TEST(CgroupPath, Containers) {
  check({container("/system.slice/docker-" + id + ".scope", "docker"),
         container("/system.slice/docker-" + id + ".scope/init.scope", "docker",
                   "/system.slice/docker-" + id + ".scope"),
         container("/system.slice/docker-" + id + ".scope/system.slice/nginx.service", "docker",
                   "/system.slice/docker-" + id + ".scope"),
         container("/docker/" + id, "docker"),
         container("/docker/" + other + "/docker/" + id, "docker"),
         container("/docker/" + id + "/nested/docker/" + other, "docker", "", other),
         container("/docker/" + other + "/system.slice/docker-" + id + ".scope", "docker"),
         container("/machine.slice/libpod-" + id + ".scope", "podman"),
         container("/machine.slice/libpod-" + id + ".scope/container", "podman",
                   "/machine.slice/libpod-" + id + ".scope"),
         container("/libpod_parent/libpod-" + id, "podman"),
         container(
             "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope/container",
             "podman", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope"),
         container("/system.slice/web.service/libpod-payload-" + id, "podman"),
         container("/system.slice/nerdctl-" + id + ".scope", "containerd"),
         container("/lxc.payload.web-1", "lxc", "", "web-1"),
         container("/lxc.payload.web-1/init.scope", "lxc", "/lxc.payload.web-1", "web-1"),
         container("/machine.slice/systemd-nspawn@deb\\x2d12.service", "systemd-nspawn", "", "deb-12"),
         container("/machine.slice/systemd-nspawn@web.service/payload/system.slice/cron.service",
                   "systemd-nspawn", "/machine.slice/systemd-nspawn@web.service", "web"),
         container("/machine.slice/machine-deb\\x2d12.scope/payload", "systemd-machined",
                   "/machine.slice/machine-deb\\x2d12.scope", "deb-12"),
         container("/machine.slice/machine-lxc\\x2d4711\\x2dweb.scope", "libvirt-lxc", "", "web"),
         container("/system.slice/runc-web.scope", "runc", "", "web"),
         container("/user.slice/user-0.slice/crun-web-2.scope", "crun", "", "web-2")});
}

// Each runtime with systemd's driver and with that of cgroupfs.
TEST(CgroupPath, BothDriversOfEveryRuntime) {
  const std::string burstable = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uid_slice;
  check({container("/system.slice/docker-" + id + ".scope", "docker"),
         container("/docker/" + id, "docker"),
         container("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + id + ".scope",
                   "docker"),
         container(burstable + ".slice/docker-" + id + ".scope", "docker"),  // cri-dockerd
         container("/kubepods/burstable/pod" + uid + "/" + id, ""),
         container(burstable + ".slice/cri-containerd-" + id + ".scope", "containerd"),
         container(burstable + ".slice:cri-containerd:" + id, "containerd"),
         container("/system.slice/nerdctl-" + id + ".scope", "containerd"),
         container("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + uid_slice +
                       ".slice/crio-" + id + ".scope",
                   "crio"),
         container("/kubepods/burstable/pod" + uid + "/crio-" + id, "crio"),
         container("/machine.slice/libpod-" + id + ".scope/container", "podman",
                   "/machine.slice/libpod-" + id + ".scope"),
         container("/libpod_parent/libpod-" + id, "podman"),
         container("/machine.slice/libpod-" + id + ".scope/init.scope", "podman",
                   "/machine.slice/libpod-" + id + ".scope"),
         container("/system.slice/runc-web.scope", "runc", "", "web"),
         container("/system.slice/crun-web.scope/container", "crun", "/system.slice/crun-web.scope", "web"),
         container("/lxc.payload.web", "lxc", "", "web"),
         container("/system.slice/lxc@web.service/lxc.payload.web", "lxc", "", "web"),
         container("/lxc/100/ns/init.scope", "lxc", "/lxc/100", "100"),
         container("/lxc/web/lxc/inner", "lxc", "", "inner"),
         container("/machine.slice/systemd-nspawn@web.service", "systemd-nspawn", "", "web"),
         container("/machine.slice/machine-web.scope", "systemd-machined", "", "web")});
  // Alone and with cgroupfs, runc and crun make a cgroup of any name, as does `ctr run`: namespaces decide.
  check({plain("/web"), plain("/isolab/web"), plain("/default/web"), plain("/user.slice/web")});
}

TEST(CgroupPath, NestedContainersAreTheInnermost) {
  const std::string node = "/system.slice/docker-" + other + ".scope";
  const std::string in_node =
      "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
      "kubelet-kubepods-burstable-pod" +
      uid_slice + ".slice";
  check({container(node + "/docker/" + id, "docker"),
         container(node + "/system.slice/docker-" + id + ".scope", "docker"),
         container("/docker/" + other + "/docker/" + id, "docker"),
         // kind: a node is a container, and the kubelet in it has pods.
         pod(node + in_node, uid),
         container(node + in_node + "/cri-containerd-" + id + ".scope", "containerd"),
         container("/docker/" + other + "/kubelet/kubepods/pod" + uid + "/" + id, ""),
         container(node + "/machine.slice/libpod-" + id + ".scope", "podman"),
         container("/lxc.payload.box/system.slice/docker-" + id + ".scope", "docker"),
         container("/machine.slice/systemd-nspawn@box.service/payload/docker/" + id, "docker"),
         container(node + "/web", "docker", node, other),
         container(node + "/kubelet.slice/kubelet.service", "docker", node, other)});
}

TEST(CgroupPathPod, OfPodman) {
  for (const std::string slice : {"/machine.slice/machine-libpod_pod_", "/user.slice/user-libpod_pod_"}) {
    const auto found = parse_cgroup_path(slice + id + ".slice");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, UnitKind::pod);
    EXPECT_EQ(found->id, id);
    EXPECT_EQ(found->name, id.substr(0, 12));
    EXPECT_EQ(found->runtime, "podman");
  }
}

TEST(CgroupPath, Kubernetes) {
  check(
      {pod("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + uid_slice + ".slice"),
       pod("/kubepods.slice/kubepods-pod" + uid_slice + ".slice"),
       pod("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
           "kubelet-kubepods-burstable-pod" +
           uid_slice + ".slice"),
       pod("/kubepods/burstable/pod" + uid), pod("/kubepods/pod" + uid),
       pod("/kubepods/pod0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
       pod("/kubepods.slice/kubepods-pod" + uid_slice + ".slice/crio-conmon-" + id + ".scope", uid,
           "/kubepods.slice/kubepods-pod" + uid_slice + ".slice"),
       container("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + uid_slice +
                     ".slice/cri-containerd-" + id + ".scope",
                 "containerd"),
       container("/kubepods.slice/kubepods-pod" + uid_slice + ".slice/crio-" + id + ".scope/container",
                 "crio", "/kubepods.slice/kubepods-pod" + uid_slice + ".slice/crio-" + id + ".scope"),
       container("/kubepods/besteffort/pod" + uid + "/" + id, ""),
       container("/kubepods/pod" + uid + "/crio-" + id, "crio"),
       container("/system.slice/containerd.service/kubepods-burstable-pod" + uid_slice +
                     ".slice:cri-containerd:" + id,
                 "containerd"),
       container("/docker/" + other + "/kubelet/kubepods/besteffort/pod" + uid + "/" + id, ""),
       container("/machine.slice/machine-libpod_pod_" + other + ".slice/libpod-" + id + ".scope", "podman")});
}

TEST(CgroupPath, Machines) {
  check({vm("/machine.slice/machine-qemu\\x2d1\\x2dweb.scope", "web"),
         vm("/machine.slice/machine-qemu\\x2d12\\x2dweb\\x2ddb.scope/libvirt/emulator", "web-db",
            "/machine.slice/machine-qemu\\x2d12\\x2dweb\\x2ddb.scope"),
         vm("/machine/qemu-3-web.libvirt-qemu/vcpu0", "web", "/machine/qemu-3-web.libvirt-qemu"),
         vm("/machine/web.libvirt-qemu", "web")});
}

TEST(CgroupPath, MachinesOfOtherManagers) {
  check({{"/qemu.slice/100.scope", UnitKind::vm, "/qemu.slice/100.scope", "100", "proxmox", ""},
         plain("/qemu.slice/web.scope"),
         plain("/qemu.slice/.scope"),
         plain("/x.slice/100.scope"),
         vm("/machine.slice/machine-prod.slice/machine-qemu\\x2d1\\x2dweb.scope", "web"),
         vm("/machine.slice/machine-ch\\x2d1\\x2dweb.scope", "web"),
         container("/machine/lxc-3-web.libvirt-lxc", "libvirt-lxc", "", "web"),
         container("/machine/web.libvirt-lxc", "libvirt-lxc", "", "web"),
         // Of a machine less is asked: a container that a person called so stays one.
         container("/machine.slice/machine-qemu\\x2dweb.scope", "systemd-machined", "", "qemu-web"),
         // With a pid namespace a jailed Firecracker is a container, by its namespaces.
         plain("/firecracker/fc-1")});
}

TEST(CgroupPath, Kata) {
  check({container("/kata_overhead/" + id, "kata"),
         container("/kata_overhead/" + id + "/below", "kata", "/kata_overhead/" + id),
         container("/vc/kata_" + id, "kata"),
         pod("/kubepods/pod" + uid + "/kata_" + id, uid, "/kubepods/pod" + uid), plain("/kata_overhead"),
         plain("/kata_overhead/web"), plain("/kata_" + id.substr(1))});
}

TEST(CgroupPath, ThePodAround) {
  EXPECT_EQ(parse_cgroup_path("/kubepods/pod" + uid)->pod, uid);
  EXPECT_EQ(parse_cgroup_path("/kubepods/pod" + uid + "/" + id)->pod, uid);
  EXPECT_EQ(parse_cgroup_path("/kubepods/pod" + uid + "/" + id + "/docker/" + other)->pod, uid);
  EXPECT_EQ(parse_cgroup_path("/docker/" + id)->pod, "");
  EXPECT_EQ(parse_cgroup_path("/web")->pod, "");
}

TEST(CgroupPath, Services) {
  check({service("/system.slice/nginx.service", "nginx.service"),
         service("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"),
         service("/system.slice/docker.service/init.scope", "docker.service", "/system.slice/docker.service"),
         service("/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service",
                 "/user.slice/user-1000.slice/user@1000.service"),
         service("/user.slice/user-1000.slice/user@1000.service/app.slice/pulse.service", "pulse.service")});
}

TEST(CgroupPath, Plain) {
  check({plain("/init.scope"),
         plain("/system.slice"),
         plain("/user.slice/user-1000.slice/session-2.scope"),
         plain("/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-1.scope"),
         plain("/web"),
         plain("/docker"),
         plain("/docker/buildx"),
         plain("/kubepods/burstable"),
         plain("/lxc.monitor.web"),
         plain("/lxc.payload."),
         plain("/lxc"),
         plain("/lxc/"),
         plain("/lxc//web"),
         plain("/x/lxc/web"),
         plain("/machine.slice"),
         plain("/machine-web.scope"),  // not where machined puts machines
         plain("/system.slice/libpod-conmon-" + id + ".scope"),
         plain("/" + id),                    // 64 digits, but nobody says whose
         plain("/docker/" + id.substr(1)),   // 63
         plain("/docker/" + id + "0"),       // 65
         plain("/docker/G" + id.substr(1)),  // not hexadecimal
         plain("/system.slice/docker-" + id.substr(0, 12) + ".scope"),
         plain("/kubepods/podXYZ"),
         plain("/podlike/pod" + uid),
         plain("/kubepods.slice/kubepods-pod" + uid_slice.substr(1) + ".slice"),
         plain("/a-pod" + uid_slice + ".slice"),
         plain("/x:y:" + id),
         plain("//"),
         plain("/a//b")});
}

TEST(CgroupPathRoot, IsNobodys) {
  EXPECT_FALSE(parse_cgroup_path("/"));
  EXPECT_FALSE(parse_cgroup_path(""));
  EXPECT_FALSE(parse_cgroup_path("relative/path"));
}

// What a container calls the cgroups inside it must not make it something of which less is asked.
TEST(CgroupPathForgery, AContainerStaysAContainer) {
  const std::string root = "/docker/" + id;
  for (const char* inside : {"/machine.slice/machine-qemu\\x2d1\\x2dx.scope", "/x.libvirt-qemu",
                             "/system.slice/sshd.service", "/user.slice/session-1.scope"}) {
    const auto found = parse_cgroup_path(root + inside);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, UnitKind::container) << inside;
    EXPECT_EQ(found->id, id) << inside;
  }
}

TEST(CgroupPathForgery, LongAndStrangePathsEnd) {
  std::string deep;
  for (int i = 0; i < 5000; i++) {
    deep += "/\\x2d";
  }
  EXPECT_EQ(parse_cgroup_path(deep)->kind, UnitKind::cgroup);
  EXPECT_EQ(parse_cgroup_path("/machine.slice/machine-\\x2.scope")->name, "\\x2");
}

TEST(CgroupPathId, FullAndShort) {
  EXPECT_TRUE(is_full_id(id));
  EXPECT_FALSE(is_full_id(id.substr(1)));
  std::string upper = id;
  upper[0] = 'F';
  EXPECT_FALSE(is_full_id(upper));
  EXPECT_EQ(short_id(id), "3f4e1d2c5b6a");
}

}  // namespace
}  // namespace isoscope::identity
