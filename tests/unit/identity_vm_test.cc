// SPDX-License-Identifier: Apache-2.0
#include "identity/vm.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace isoscope::identity {
namespace {

using Arguments = std::vector<std::string>;

Vm vm(const std::string& exe, Arguments argv) {
  argv.insert(argv.begin(), exe);
  return parse_vmm_command_line(4711, exe, argv);
}

constexpr const char* qemu = "qemu-system-x86_64";

TEST(Vm, QemuAsLibvirtStartsIt) {
  const Vm web =
      vm(qemu, {"-name", "guest=web,debug-threads=on", "-S", "-object",
                R"({"qom-type":"secret","id":"masterKey0","file":"/var/lib/libvirt/master-key.aes"})",
                "-machine", "pc-q35-7.2,usb=off", "-uuid", "0B54FD9B-6a1f-4d2e-8c1c-2f0a3c9d7e55"});
  EXPECT_EQ(web.name, "web");
  EXPECT_EQ(web.uuid, "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55");
  EXPECT_EQ(web.id, web.uuid);
  EXPECT_EQ(web.vmm, "qemu");
  EXPECT_EQ(web.pid, 4711u);
}

TEST(Vm, QemuNames) {
  EXPECT_EQ(vm(qemu, {"-name", "web"}).name, "web");
  EXPECT_EQ(vm(qemu, {"--name", "web"}).name, "web");
  EXPECT_EQ(vm(qemu, {"-name", "web,process=qemu:web"}).name, "web");
  EXPECT_EQ(vm(qemu, {"-name", "debug-threads=on,guest=web"}).name, "web");
  EXPECT_EQ(vm(qemu, {"-name", "a,,b"}).name, "a,b");
  EXPECT_EQ(vm(qemu, {"-name", "guest=a,,b,,,process=x"}).name, "a,b,");
  EXPECT_EQ(vm(qemu, {"-name", "guest=a=b"}).name, "a=b");
  EXPECT_EQ(vm(qemu, {"-name", "one", "-name", "two"}).name, "two");
  EXPECT_EQ(vm(qemu, {"-name", "my web"}).name, "my web");
}

TEST(Vm, QemuWithoutAName) {
  for (const Arguments& argv :
       {Arguments{}, Arguments{"-m", "256"}, Arguments{"-name"}, Arguments{"-name", ""},
        Arguments{"-name", "debug-threads=on"}, Arguments{"-name", ","}}) {
    const Vm unnamed = vm(qemu, argv);
    EXPECT_EQ(unnamed.name, "pid:4711");
    EXPECT_EQ(unnamed.id, "pid:4711");
    EXPECT_EQ(unnamed.uuid, "");
  }
}

TEST(Vm, AUuidMustLookLikeOne) {
  const Vm web = vm(qemu, {"-name", "web", "-uuid", "not-a-uuid"});
  EXPECT_EQ(web.uuid, "");
  EXPECT_EQ(web.id, "pid:4711");
}

TEST(Vm, KvmAndOtherNamesOfQemu) {
  EXPECT_EQ(vm("qemu-kvm", {"-name", "web"}).vmm, "qemu");
  EXPECT_EQ(vm("kvm", {"-name", "web"}).name, "web");
}

TEST(Vm, Firecracker) {
  const Vm micro = vm("firecracker", {"--id", "fc-1", "--api-sock", "/run/fc.sock"});
  EXPECT_EQ(micro.name, "fc-1");
  EXPECT_EQ(micro.vmm, "firecracker");
  EXPECT_EQ(vm("firecracker-v1.7.0-x86_64", {"--id=fc-2"}).name, "fc-2");
  EXPECT_EQ(vm("firecracker", {"--api-sock", "/run/fc.sock"}).name, "pid:4711");
}

TEST(Vm, CloudHypervisor) {
  const Vm cloud =
      vm("cloud-hypervisor",
         {"--platform", "serial_number=1,uuid=0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55", "--kernel", "vmlinux"});
  EXPECT_EQ(cloud.id, "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55");
  EXPECT_EQ(cloud.name, "pid:4711");
  EXPECT_EQ(cloud.vmm, "cloud-hypervisor");
}

TEST(Vm, CrosvmAndKvmtool) {
  EXPECT_EQ(vm("crosvm", {"run", "--name", "arc"}).name, "arc");
  EXPECT_EQ(vm("lkvm", {"run", "--name=box"}).name, "box");
  EXPECT_EQ(vm("lkvm", {"run"}).vmm, "kvmtool");
}

TEST(Vm, AnyOtherProgram) {
  const Vm mine = vm("my-vmm", {"--name", "x", "-uuid", "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55"});
  EXPECT_EQ(mine.name, "pid:4711");
  EXPECT_EQ(mine.id, "pid:4711");
  EXPECT_EQ(mine.vmm, "my-vmm");
  EXPECT_EQ(parse_vmm_command_line(5, "", {}).vmm, "unknown");
}

}  // namespace
}  // namespace isoscope::identity
