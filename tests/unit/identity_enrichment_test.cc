// SPDX-License-Identifier: Apache-2.0
#include "identity/unit_enrichment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "identity_world.h"

namespace isoscope::identity {
namespace {

using ::testing::ElementsAre;
using testing::id_a;
using testing::id_b;
using ::testing::IsEmpty;
using testing::said;
using testing::Task;
using testing::World;

constexpr std::uint64_t second = 1'000'000'000;
const std::string name_a = id_a.substr(0, 12);
const std::string name_b = id_b.substr(0, 12);
const std::string uid = "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55";
const std::string pod_path = "/kubepods/pod" + uid;

class UnitEnrichmentTest : public ::testing::Test {
 protected:
  // What the outputs get of the world's last step.
  std::vector<Unit> told(std::uint64_t now_ns = second) { return enrichment_.take(world_.changes, now_ns); }

  std::string name_of(const std::string& path) const {
    return world_.units.ref_of_cgroup(world_.units.cgroups().id_of(path)).name;
  }

  World world_;
  std::map<std::string, Metadata> files_;
  std::vector<std::string> looks_;
  UnitEnrichment enrichment_{world_.units,
                             {.look_up =
                                  [this](const MetadataQuery& query) {
                                    looks_.push_back(query.id);
                                    const auto found = files_.find(query.id);
                                    return found == files_.end() ? std::nullopt
                                                                 : std::optional(found->second);
                                  },
                              .begin_round = {}}};
};

TEST_F(UnitEnrichmentTest, AContainerIsCalledWhatItsRuntimeCallsIt) {
  files_[id_a] = {
      .runtime = "docker", .container = "web", .image = "nginx:1.25", .labels = {{"app", "shop"}}};
  world_.mkdirs("/docker/" + id_a);
  EXPECT_THAT(said(told()), ElementsAre("container " + name_a + " created"));
  EXPECT_THAT(looks_, IsEmpty()) << "the runtime is still at it";
  world_.run_container("/docker/" + id_a);
  const auto started = told();
  ASSERT_THAT(said(started), ElementsAre("container web started"));
  EXPECT_EQ(started[0].ref.id, id_a);
  EXPECT_EQ(started[0].metadata, files_[id_a]);
  EXPECT_EQ(started[0].parent, std::nullopt);
  EXPECT_EQ(name_of("/docker/" + id_a), "web") << "rows have it, too";
  EXPECT_THAT(looks_, ElementsAre(id_a));
}

TEST_F(UnitEnrichmentTest, LateMetadataHeals) {
  world_.run_container("/docker/" + id_a);
  const auto started = told(second);
  ASSERT_THAT(said(started), ElementsAre("container " + name_a + " started"));
  EXPECT_EQ(started[0].metadata, Metadata{.runtime = "docker"}) << "as the path says";
  EXPECT_THAT(said(enrichment_.retry(2 * second)), IsEmpty());
  files_[id_a] = {.runtime = "docker", .container = "web"};
  const auto healed = enrichment_.retry(4 * second);
  ASSERT_THAT(said(healed), ElementsAre("container web updated"));
  EXPECT_EQ(healed[0].namespaces, started[0].namespaces);
  EXPECT_EQ(name_of("/docker/" + id_a), "web");
  EXPECT_THAT(said(enrichment_.retry(100 * second)), IsEmpty());
  EXPECT_EQ(looks_.size(), 3U);
}

TEST_F(UnitEnrichmentTest, NoMetadataCostsSixLooks) {
  world_.run_container("/docker/" + id_a);
  const auto started = told(second);
  for (std::uint64_t s = 1; s < 1000; s++) {
    EXPECT_THAT(enrichment_.retry(s * second), IsEmpty());
  }
  EXPECT_EQ(looks_.size(), MetadataCache::most_looks);
  EXPECT_EQ(name_of("/docker/" + id_a), name_a);
}

TEST_F(UnitEnrichmentTest, TheEndOfTheContainerIsTheEndOfTheSearch) {
  world_.run_container("/docker/" + id_a);
  told(second);
  const auto cgroup = world_.units.cgroups().id_of("/docker/" + id_a);
  world_.rmdir(cgroup);
  EXPECT_THAT(said(told(second)), ElementsAre("container " + name_a + " stopped"));
  EXPECT_THAT(enrichment_.retry(100 * second), IsEmpty());
  EXPECT_EQ(looks_.size(), 1U);
}

TEST_F(UnitEnrichmentTest, TheLastRecordHasTheNameToo) {
  files_[id_a] = {.container = "web", .image = "nginx"};
  world_.run_container("/docker/" + id_a);
  told();
  world_.rmdir(world_.units.cgroups().id_of("/docker/" + id_a));
  const auto stopped = told();
  ASSERT_THAT(said(stopped), ElementsAre("container web stopped"));
  EXPECT_EQ(stopped[0].metadata.image, "nginx");
}

TEST_F(UnitEnrichmentTest, APodHasTheNameThatItsContainersKnow) {
  files_[id_a] = {
      .container = "nginx", .pod_name = "web-0", .pod_namespace = "shop", .labels = {{"app", "x"}}};
  world_.run_container(pod_path + "/" + id_a);
  const auto started = told();
  ASSERT_THAT(said(started), ElementsAre("container web-0/nginx started", "pod web-0 started"));
  EXPECT_EQ(started[0].parent, (UnitRef{UnitKind::pod, uid, "web-0"}));
  EXPECT_EQ(started[0].metadata.pod_uid, uid) << "from the path";
  EXPECT_EQ(
      started[1].metadata,
      (Metadata{.runtime = "kubernetes", .pod_name = "web-0", .pod_namespace = "shop", .pod_uid = uid}));
  EXPECT_EQ(name_of(pod_path), "web-0");
}

TEST_F(UnitEnrichmentTest, APodIsUpdatedByTheFirstContainerThatTells) {
  world_.run_container(pod_path + "/" + id_a);
  EXPECT_THAT(said(told(second)), ElementsAre("container " + name_a + " started", "pod " + uid + " started"));
  files_[id_a] = {.container = "nginx", .pod_name = "web-0"};
  files_[id_b] = {.container = "POD", .pod_name = "web-0", .labels = {{"app", "x"}}};
  const auto healed = enrichment_.retry(2 * second);
  ASSERT_THAT(said(healed), ElementsAre("container web-0/nginx updated", "pod web-0 updated"));
  EXPECT_EQ(healed[0].parent->name, "web-0");
  world_.run_container(pod_path + "/" + id_b);
  const auto sandbox = told(3 * second);
  ASSERT_THAT(said(sandbox), ElementsAre("container web-0/POD started", "pod web-0 updated"));
  EXPECT_EQ(sandbox[1].metadata.labels, files_[id_b].labels) << "those of the sandbox are the pod's";
}

TEST_F(UnitEnrichmentTest, ANestedContainerNamesItsParentAndIsNotLookedUp) {
  files_[id_a] = {.container = "dind"};
  files_[id_b] = {.container = "not that one"};
  world_.run_container("/docker/" + id_a);
  told();
  world_.run_container("/docker/" + id_a + "/docker/" + id_b);
  const auto inner = told();
  ASSERT_THAT(said(inner), ElementsAre("container " + name_b + " started"));
  EXPECT_EQ(inner[0].parent, (UnitRef{UnitKind::container, id_a, "dind"}));
  // A node of kind: pods in a container.
  world_.run_container("/docker/" + id_a + "/kubelet" + pod_path + "/" + id_b);
  const auto in_node = told();
  ASSERT_THAT(said(in_node), ElementsAre("container " + name_b + " started", "pod " + uid + " started"));
  EXPECT_EQ(in_node[0].parent, (UnitRef{UnitKind::pod, uid, uid}));
  EXPECT_EQ(in_node[1].parent, (UnitRef{UnitKind::container, id_a, "dind"}));
  EXPECT_THAT(looks_, ElementsAre(id_a));
}

TEST_F(UnitEnrichmentTest, AServiceIsAParentAndAPlainCgroupIsNot) {
  world_.run_container("/system.slice/web.service/libpod-payload-" + id_a);
  const auto started = told();
  ASSERT_EQ(started.size(), 1U);
  EXPECT_EQ(started[0].parent, (UnitRef{UnitKind::service, "/system.slice/web.service", "web.service"}));
  world_.run_container("/isolab/box");
  ASSERT_THAT(said(told()), ElementsAre("container box started"));
  EXPECT_EQ(told()[0].parent, std::nullopt);
}

TEST_F(UnitEnrichmentTest, AVmNamesWhatItIsIn) {
  files_[id_a] = {.container = "compute", .pod_name = "virt-launcher-x"};
  const Task init = world_.run_container(pod_path + "/" + id_a);
  told();
  world_.vms[init.pid] = {.id = "u", .name = "vm", .uuid = "u", .vmm = "qemu", .pid = init.pid};
  world_.changes =
      world_.feed({.ts_ns = 5, .cgroup_id = init.cgroup, .tgid = init.pid, .tid = init.pid, .cpu = 0},
                  event::VcpuSeen{.start_boot_ns = 1, .vcpu_id = 0, .isa = event::Isa::svm});
  const auto started = told();
  ASSERT_THAT(said(started), ElementsAre("vm vm started"));
  EXPECT_EQ(started[0].parent, (UnitRef{UnitKind::container, id_a, "virt-launcher-x/compute"}));
  EXPECT_EQ(world_.units.vm_of(init.pid)->scope, (VmScope{VmScopeKind::pod, uid, "virt-launcher-x"}));
}

TEST_F(UnitEnrichmentTest, TheScopeOfAVmHeals) {
  const Task init = world_.run_container("/docker/" + id_a);
  told(second);
  world_.vms[init.pid] = {.id = "u", .name = "vm", .uuid = "u", .vmm = "qemu", .pid = init.pid};
  world_.changes =
      world_.feed({.ts_ns = 5, .cgroup_id = init.cgroup, .tgid = init.pid, .tid = init.pid, .cpu = 0},
                  event::VcpuSeen{.start_boot_ns = 1, .vcpu_id = 0, .isa = event::Isa::svm});
  told(second);
  EXPECT_EQ(world_.units.vm_of(init.pid)->scope->name, name_a);
  files_[id_a] = {.container = "web"};
  enrichment_.retry(2 * second);
  EXPECT_EQ(world_.units.vm_of(init.pid)->scope->name, "web");
}

}  // namespace
}  // namespace isoscope::identity
