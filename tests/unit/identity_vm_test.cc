// SPDX-License-Identifier: Apache-2.0
#include "identity/vm.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace isoscope::identity {
namespace {

using Arguments = std::vector<std::string>;

constexpr const char* qemu = "qemu-system-x86_64";
const std::string uuid = "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55";
const std::string sandbox(64, 'a');
const std::string nameless = "pid:4711";

Vm vm(const std::string& exe, Arguments argv) {
  argv.insert(argv.begin(), exe);
  return identify_vm({.pid = 4711, .inner_pid = 7, .exe = exe, .argv = argv});
}

struct Case {
  const char* exe;
  Arguments argv;  // behind the program
  std::string name;
  std::string vm_uuid;
};

void check(const std::string& vmm, const std::vector<Case>& cases) {
  for (const Case& expected : cases) {
    std::string line = expected.exe;
    for (const std::string& argument : expected.argv) {
      line += " " + argument.substr(0, 80);
    }
    SCOPED_TRACE(line);
    const Vm found = vm(expected.exe, expected.argv);
    EXPECT_EQ(found.name, expected.name);
    EXPECT_EQ(found.uuid, expected.vm_uuid);
    EXPECT_EQ(found.id, expected.vm_uuid.empty() ? nameless : expected.vm_uuid);
    EXPECT_EQ(found.vmm, vmm);
    EXPECT_EQ(found.pid, 4711u);
  }
}

TEST(Vm, QemuAsItsManagersStartIt) {
  check("qemu",
        {{qemu,
          {"-name", "guest=web,debug-threads=on", "-S", "-object",
           R"({"qom-type":"secret","id":"masterKey0","file":"/var/lib/libvirt/master-key.aes"})", "-machine",
           "pc-q35-7.2,usb=off", "-uuid", "0B54FD9B-6a1f-4d2e-8c1c-2f0a3c9d7e55"},
          "web",
          uuid},
         // Proxmox
         {"kvm",
          {"-id", "100", "-name", "pbs3,debug-threads=on", "-no-shutdown", "-smbios", "type=1,uuid=" + uuid},
          "pbs3",
          uuid},
         // Kata
         {qemu,
          {"-name", "sandbox-" + sandbox + ",debug-threads=on", "-uuid", uuid},
          "sandbox-" + sandbox,
          uuid},
         // Incus
         {qemu, {"-S", "-name", "v1", "-uuid", uuid, "-daemonize", "-cpu", "host"}, "v1", uuid},
         // the Android emulator
         {"qemu-system-x86_64-headless", {"-avd", "Pixel_4", "-no-window"}, "Pixel_4", ""}});
}

TEST(Vm, QemuNames) {
  check("qemu", {{qemu, {"-name", "web"}, "web", ""},
                 {qemu, {"--name", "web"}, "web", ""},
                 {qemu, {"-name", "web,process=qemu:web"}, "web", ""},
                 {qemu, {"-name", "debug-threads=on,guest=web"}, "web", ""},
                 {qemu, {"-name", "a,,b"}, "a,b", ""},
                 {qemu, {"-name", "guest=a,,b,,,process=x"}, "a,b,", ""},
                 {qemu, {"-name", "guest=a=b"}, "a=b", ""},
                 {qemu, {"-name", "one", "-name", "two"}, "two", ""},
                 {qemu, {"-name", "web", "-name", "debug-threads=on"}, "web", ""},  // QEMU merges them
                 {qemu, {"-name", "my web"}, "my web", ""}});
}

TEST(Vm, QemuWithoutAName) {
  check("qemu", {{qemu, {}, nameless, ""},
                 {qemu, {"-m", "256"}, nameless, ""},
                 {qemu, {"-name"}, nameless, ""},
                 {qemu, {"-name", ""}, nameless, ""},
                 {qemu, {"-name", "debug-threads=on"}, nameless, ""},
                 {qemu, {"-name", ","}, nameless, ""},
                 {qemu, {"-name=web"}, nameless, ""},  // QEMU knows no `=`
                 {qemu, {"---name", "web"}, nameless, ""}});
}

TEST(Vm, QemuUuids) {
  check("qemu",
        {{qemu, {"-uuid", "not-a-uuid"}, nameless, ""},
         {qemu, {"-uuid", "00000000-0000-0000-0000-000000000000"}, nameless, ""},  // stands for none
         {qemu, {"-uuid", uuid, "-smbios", "type=1,uuid=" + std::string(36, '1')}, nameless, uuid},
         {qemu, {"-smbios", "type=2,uuid=" + uuid}, nameless, ""},
         {qemu, {"-smbios", "file=/x", "-smbios", "type=1,serial=a,,b,uuid=" + uuid}, nameless, uuid}});
}

TEST(Vm, OtherExecutablesOfQemu) {
  check("qemu", {{"qemu-kvm", {"-name", "web"}, "web", ""},
                 {"qemu-system-i386", {"-name", "web"}, "web", ""},
                 {".qemu-system-x86_64-wrapped", {"-name", "web"}, "web", ""}});  // NixOS
  EXPECT_EQ(vm("-wrapped", {}).vmm, "-wrapped");
  EXPECT_EQ(vm(".-wrapped", {}).vmm, ".-wrapped");
}

TEST(Vm, Firecracker) {
  check("firecracker",
        {{"firecracker", {"--id", "fc-1", "--api-sock", "/run/fc.sock"}, "fc-1", ""},
         // the jailer
         {"firecracker",
          {"--id", "fc-1", "--start-time-us", "1", "--start-time-cpu-us", "2", "--parent-cpu-time-us", "3"},
          "fc-1",
          ""},
         {"firecracker", {"--id=fc-1", "--start-time-us=1", "--config-file", "vm.json"}, "fc-1", ""},
         {"firecracker-v1.7.0-x86_64", {"--id=fc-2"}, "fc-2", ""},
         {"firecracker", {"--api-sock", "/tmp/web.socket"}, "web", ""},
         {"firecracker", {"--api-sock", "/run/vms/web/firecracker.socket"}, "web", ""},
         {"firecracker", {"--api-sock", "/run/firecracker.socket"}, nameless, ""},
         {"firecracker", {"--no-api", "--", "--id", "guest"}, nameless, ""},
         {"firecracker", {"--id"}, nameless, ""},
         {"firecracker", {"--identity", "x"}, nameless, ""}});
}

TEST(Vm, CloudHypervisor) {
  check(
      "cloud-hypervisor",
      {{"cloud-hypervisor", {"--platform", "serial_number=1,uuid=" + uuid, "--kernel", "vmlinux"}, "1", uuid},
       {"cloud-hypervisor", {"--platform=uuid=" + uuid, "--api-socket=/tmp/web.sock"}, "web", uuid},
       {"cloud-hypervisor", {"--api-socket", "path=/run/web.sock"}, "web", ""},
       {"cloud-hypervisor", {"--api-socket", "fd=3"}, nameless, ""},
       // libvirt
       {"cloud-hypervisor", {"--api-socket", "/run/libvirt/ch/web-socket"}, "web", ""},
       // Kata
       {"cloud-hypervisor", {"--api-socket", "/run/vc/vm/" + sandbox + "/clh-api.sock"}, sandbox, ""},
       {"cloud-hypervisor-static", {"--api-socket", "/tmp/cloud-hypervisor.sock"}, nameless, ""},
       {"cloud-hypervisor", {"--api-socket", "/run/user/1000/ch.sock"}, nameless, ""},
       {"cloud-hypervisor", {"--api-socket", "/home/ann/ch.sock"}, nameless, ""},
       // a list inside a list, and quotes that are dropped
       {"cloud-hypervisor",
        {"--platform", "oem_strings=[uuid=1,uuid=2],uuid=\"" + uuid + "\""},
        nameless,
        uuid},
       {"cloud-hypervisor", {"--platform", "serial_number=ds=nocloud;h=web"}, nameless, ""},
       {"cloud-hypervisor", {"--platform", "]]]][[\"uuid=" + uuid}, nameless, ""}});
}

TEST(Vm, Crosvm) {
  check("crosvm", {{"crosvm", {"run", "--name", "arc", "vmlinux"}, "arc", ""},
                   {"crosvm", {"--log-level=debug", "run", "--name=arc"}, "arc", ""},
                   {"crosvm", {"run", "-s", "/run/arcvm.sock"}, "arcvm", ""},
                   {"crosvm", {"run", "--socket=/cvd-1/internal/crosvm_control.sock"}, "cvd-1", ""},
                   {"crosvm", {"run", "--name", "arc", "-s", "/run/x.sock"}, "arc", ""},
                   {"crosvm", {"run", "vmlinux"}, nameless, ""}});
}

TEST(Vm, Kvmtool) {
  check("kvmtool", {{"lkvm", {"run", "--name=box"}, "box", ""},
                    {"lkvm", {"run", "--name", "box"}, "box", ""},
                    {"lkvm", {"run", "-n", "box", "-k", "bzImage"}, "box", ""},
                    {"lkvm-static", {"run", "-nbox"}, "box", ""},
                    {"kvmtool", {"run"}, "guest-7", ""},  // by the pid that it has itself
                    {"lkvm", {"run", "-d", "debian"}, nameless, ""},
                    {"lkvm", {"run", "--disk=debian"}, nameless, ""}});
  EXPECT_EQ(identify_vm({.pid = 4711, .inner_pid = 0, .exe = "lkvm", .argv = {"lkvm", "run"}}).name,
            nameless);
}

TEST(Vm, Others) {
  check("stratovirt", {{"stratovirt", {"-name", "web", "-uuid", uuid}, "web", uuid}});
  check("kata-dragonball", {{"containerd-shim-kata-v2",
                             {"-namespace", "k8s.io", "-address", "/run/containerd.sock", "-id", sandbox},
                             sandbox,
                             ""},
                            {"containerd-shim-kata-v2", {}, nameless, ""}});
  check("gvisor",
        {{"runsc", {"--root=/run/x", "boot", "--bundle=/b", "--cpu-num", "2", sandbox}, sandbox, ""},
         {"runsc", {"boot"}, nameless, ""},
         {"runsc", {"boot", "--bundle=/b"}, nameless, ""},
         {"runsc", {"gofer", sandbox}, nameless, ""}});
  check("krunvm", {{"krunvm", {"start", "web", "--", "-x"}, "web", ""},
                   {"krunvm", {"start"}, nameless, ""},
                   {"krunvm", {"start", "--cpus", "2"}, nameless, ""}});
  check("virtualbox", {{"VBoxHeadless", {"--comment", "web", "--startvm", uuid}, "web", uuid},
                       {"VirtualBoxVM", {"--startvm", "web"}, nameless, ""}});
}

TEST(Vm, AnyOtherProgram) {
  const Vm mine = vm("my-vmm", {"--name", "x", "-uuid", uuid});
  EXPECT_EQ(mine.name, nameless);
  EXPECT_EQ(mine.id, nameless);
  EXPECT_EQ(mine.vmm, "my-vmm");
  EXPECT_EQ(identify_vm({.pid = 5, .inner_pid = 0, .exe = "", .argv = {}}).vmm, "unknown");
}

// --- what nobody promised to be well-formed ---

TEST(VmHostile, NoArgumentsAtAll) {
  for (const char* exe : {qemu, "firecracker", "cloud-hypervisor", "crosvm", "lkvm",
                          "containerd-shim-kata-v2", "runsc", "krunvm", "VBoxHeadless"}) {
    for (const Arguments& argv :
         {Arguments{}, Arguments{""}, Arguments{"", ""}, Arguments{exe, "", "-", "--"},
          Arguments{exe, "boot"}, Arguments{exe, "start", ""}}) {
      const Vm found = identify_vm({.pid = 4711, .inner_pid = 0, .exe = exe, .argv = argv});
      EXPECT_EQ(found.name, nameless) << exe;
      EXPECT_EQ(found.uuid, "") << exe;
    }
  }
}

TEST(VmHostile, BytesThatAreNoText) {
  // The outputs make it valid; here it must only come through whole.
  EXPECT_EQ(vm(qemu, {"-name", "w\xff\xfe\x1b[2Jb"}).name, "w\xff\xfe\x1b[2Jb");
  EXPECT_EQ(vm(qemu, {"-uuid", std::string(36, '\xff')}).uuid, "");
  EXPECT_EQ(vm("\xff\xfe", {}).vmm, "\xff\xfe");
  EXPECT_EQ(vm(qemu, {"-name", "machine-qemu\\x2d1"}).name, "machine-qemu\\x2d1") << "no unit of systemd";
}

TEST(VmHostile, AMegabyte) {
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(vm(qemu, {"-name", large}).name, std::string(255, 'x'));
  EXPECT_EQ(vm(qemu, {"-name", std::string(1 << 20, ',')}).name, std::string(255, ','));
  EXPECT_EQ(vm(large, {}).vmm.size(), 255u);
  EXPECT_EQ(vm("cloud-hypervisor", {"--platform", std::string(1 << 20, '[')}).name, nameless);
  EXPECT_EQ(vm("cloud-hypervisor", {"--api-socket", std::string(1 << 20, '/')}).name, nameless);
  EXPECT_EQ(vm("firecracker", {"--api-sock", "/" + large}).name, std::string(255, 'x'));
  EXPECT_EQ(vm("lkvm", Arguments(100'000, "-n")).name, "-n");
}

TEST(VmHostile, ANameIsNotCutWithinACharacter) {
  EXPECT_EQ(vm(qemu, {"-name", std::string(254, 'x') + "\xc3\xa4"}).name, std::string(254, 'x'));
  EXPECT_EQ(vm(qemu, {"-name", std::string(253, 'x') + "\xc3\xa4z"}).name,
            std::string(253, 'x') + "\xc3\xa4");
  EXPECT_EQ(vm(qemu, {"-name", std::string(300, '\x80')}).name.size(), 252u);
}

// --- of a running process ---

class ProcTest : public ::testing::Test {
 protected:
  ProcTest() {
    std::string name = ::testing::TempDir() + "/vm-XXXXXX";
    root_ = ::mkdtemp(name.data());
    std::filesystem::create_directory(root_ / "4711");
  }
  ~ProcTest() override { std::filesystem::remove_all(root_); }

  void file(const std::string& name, const std::string& text) {
    std::ofstream(root_ / "4711" / name) << text;
  }

  std::filesystem::path root_;
};

TEST_F(ProcTest, OfAProcess) {
  std::filesystem::create_symlink("/usr/bin/lkvm (deleted)", root_ / "4711" / "exe");
  file("cmdline", std::string("lkvm\0run\0", 9));
  file("status", "Name:\tlkvm\nTgid:\t4711\nNSpid:\t4711\t12\nNSpgid:\t4711\t12\n");
  file("cgroup", "0::/system.slice/vm@web.service\n");
  const Vm found = read_vm(4711, root_.string());
  EXPECT_EQ(found.vmm, "kvmtool");
  EXPECT_EQ(found.name, "guest-12");
  EXPECT_EQ(found.cgroup_path, "/system.slice/vm@web.service");
}

TEST_F(ProcTest, OfAProcessThatIsGone) {
  const Vm found = read_vm(4712, root_.string());
  EXPECT_EQ(found.vmm, "unknown");
  EXPECT_EQ(found.name, "pid:4712");
  EXPECT_EQ(found.cgroup_path, "");
}

}  // namespace
}  // namespace isoscope::identity
