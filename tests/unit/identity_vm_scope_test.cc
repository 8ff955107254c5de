// SPDX-License-Identifier: Apache-2.0
#include "identity/vm_scope.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace isoscope::identity {
namespace {

const std::string id = "3f4e1d2c5b6a79880123456789abcdef0123456789abcdef0123456789abcdef";
const std::string pod_id = "99887766554433221100ffeeddccbbaa99887766554433221100ffeeddccbbaa";
const std::string uid = "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55";
const std::string uid_slice = "0b54fd9b_6a1f_4d2e_8c1c_2f0a3c9d7e55";
const std::string pod_slice =
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uid_slice + ".slice";

struct Case {
  std::string path;
  const char* kind;
  std::string scope_id;
  std::string name;
};

void check(const std::vector<Case>& cases) {
  for (const Case& expected : cases) {
    SCOPED_TRACE(expected.path);
    const auto found = parse_vm_scope(expected.path);
    ASSERT_TRUE(found);
    EXPECT_STREQ(to_string(found->kind), expected.kind);
    EXPECT_EQ(found->id, expected.scope_id);
    EXPECT_EQ(found->name, expected.name);
  }
}

TEST(VmScope, Libvirt) {
  const std::string scope = "/machine.slice/machine-qemu\\x2d12\\x2dweb\\x2ddb.scope";
  const std::string cloud = "/machine.slice/machine-ch\\x2d1\\x2dweb.scope";
  const std::string partition = "/machine.slice/machine-prod.slice/machine-qemu\\x2d1\\x2dweb.scope";
  const std::string embedded = "/machine.slice/machine-qemu\\x2dembed\\x2d0123abcd\\x2d1\\x2dweb.scope";
  check(
      {{scope, "libvirt", scope, "web-db"},
       {scope + "/libvirt/emulator", "libvirt", scope, "web-db"},
       {scope + "/libvirt/vcpu3", "libvirt", scope, "web-db"},
       {cloud, "libvirt", cloud, "web"},
       {partition, "libvirt", partition, "web"},
       {embedded, "libvirt", embedded, "web"},
       {"/machine/qemu-3-web.libvirt-qemu/emulator", "libvirt", "/machine/qemu-3-web.libvirt-qemu", "web"}});
}

// KubeVirt's VMM is in the container `compute` of a pod; Kata's beside the containers or in the pod's own.
TEST(VmScope, Pods) {
  const std::string kata_id = "kata_" + id;
  check({{pod_slice + "/cri-containerd-" + id + ".scope", "pod", uid, uid},
         {pod_slice + "/crio-" + id + ".scope/container/machine/qemu-1-ns_web.libvirt-qemu/emulator", "pod",
          uid, uid},
         {pod_slice, "pod", uid, uid},
         {pod_slice + "/sandbox", "pod", uid, uid},
         {"/kubepods/pod" + uid + "/" + kata_id, "pod", uid, uid},
         {"/kubepods/besteffort/pod" + uid + "/" + id, "pod", uid, uid},
         {"/kata_overhead/kubepods/besteffort/pod" + uid + "/" + id, "pod", uid, uid},
         {"/docker/" + pod_id + "/kubelet/kubepods/pod" + uid + "/" + id, "pod", uid, uid},
         {"/machine.slice/machine-libpod_pod_" + pod_id + ".slice/libpod-" + id + ".scope", "pod", pod_id,
          pod_id.substr(0, 12)}});
}

TEST(VmScope, Containers) {
  check(
      {{"/system.slice/docker-" + id + ".scope", "container", id, id.substr(0, 12)},
       {"/system.slice/docker-" + id + ".scope/system.slice/qemu.service", "container", id, id.substr(0, 12)},
       {"/kata_overhead/" + id, "container", id, id.substr(0, 12)},
       {"/vc/kata_" + id, "container", id, id.substr(0, 12)},
       {"/lxc.payload.web/init.scope", "container", "web", "web"},
       // Nobody but a container is called so without a number.
       {"/machine.slice/machine-qemu\\x2dweb.scope", "container", "qemu-web", "qemu-web"},
       {"/machine.slice/machine-ch\\x2dweb.scope", "container", "ch-web", "ch-web"},
       {"/machine.slice/machine-qemu\\x2dembed\\x2d1\\x2dweb.scope", "container", "qemu-embed-1-web",
        "qemu-embed-1-web"}});
}

TEST(VmScope, OtherManagers) {
  check({{"/qemu.slice/100.scope", "proxmox", "/qemu.slice/100.scope", "100"},
         {"/firecracker/fc-1", "firecracker", "/firecracker/fc-1", "fc-1"},
         {"/firecracker-v1.7.0-x86_64/" + uid, "firecracker", "/firecracker-v1.7.0-x86_64/" + uid, uid}});
}

TEST(VmScope, Systemd) {
  const std::string instance = "/system.slice/system-vm.slice/vm@web.service";
  const std::string session = "/user.slice/user-1000.slice/session-2.scope";
  const std::string app = "/user.slice/user-1000.slice/user@1000.service/app.slice/app-boxes-1.scope";
  check({{instance, "service", instance, "vm@web.service"},
         {instance + "/payload", "service", instance, "vm@web.service"},
         {session, "scope", session, "session-2.scope"},
         {app, "scope", app, "app-boxes-1.scope"},
         {app + "/below", "scope", app, "app-boxes-1.scope"},
         {"/qemu.slice/web.scope", "scope", "/qemu.slice/web.scope", "web.scope"},
         {"/firecracker.slice/fc-1.scope", "scope", "/firecracker.slice/fc-1.scope", "fc-1.scope"}});
}

TEST(VmScope, Nobodys) {
  for (const std::string path :
       {"", "/", "web", "/web", "/init.scope", "/.scope", "/firecracker", "/firecracker/", "/firecracker/a/b",
        "/firecracker/a b", "/x/firecracker/a", "/firecracker.slice/fc-1", "/machine.slice", "//", "/a//b"}) {
    EXPECT_FALSE(parse_vm_scope(path)) << path;
  }
  EXPECT_FALSE(parse_vm_scope("/firecracker/" + std::string(65, 'a')));
}

TEST(VmScopeHostile, LongAndStrangePathsEnd) {
  std::string deep;
  for (int i = 0; i < 100'000; i++) {
    deep += "/\\x2d\xff";
  }
  EXPECT_FALSE(parse_vm_scope(deep));
  EXPECT_FALSE(parse_vm_scope(std::string(1 << 20, '/')));
  EXPECT_EQ(parse_vm_scope("/machine.slice/machine-qemu\\x2d1\\x2d\\x1b\\xff\\x2.scope")->name,
            "\x1b\xff\\x2");
}

}  // namespace
}  // namespace isoscope::identity
