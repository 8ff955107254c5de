// SPDX-License-Identifier: Apache-2.0
#include "agent/filter.h"

#include <gtest/gtest.h>

#include "abi/event.h"

#include <string>

namespace isoscope::agent {
namespace {

using identity::UnitKind;
using identity::UnitRef;

const std::string container_id = "4c01db0b339c8e55dbbd3fd9c6e4a7bd2f6ae1c9e3b40d6d1c5f5d2d4a7f0e91";

class FilterTest : public ::testing::Test {
 protected:
  // A container with a VMM in it.
  UnitRef unit_{UnitKind::container, container_id, "shop-db"};
  identity::Vm vm_{"0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55", "web", "0b54fd9b-6a1f-4d2e-8c1c-2f0a3c9d7e55",
                   "qemu", 4711};
  std::string path_ = "/system.slice/docker-4c01.scope/vm";
  Filter::Exits exits_{.vcpu_id = 3, .isa = event::Isa::svm, .reason = 0x400, .other = false};

  bool passes(const config::Filters& filters) const {
    return Filter(filters).passes({&unit_, &vm_, &path_, 4711, &exits_});
  }
};

TEST_F(FilterTest, WithoutFiltersEverythingPasses) {
  EXPECT_TRUE(passes({}));
  EXPECT_TRUE(Filter({}).passes({}));
  EXPECT_TRUE(Filter({}).empty());
}

TEST_F(FilterTest, EveryKindOfFilterIsNotEmpty) {
  EXPECT_FALSE(Filter({.vm = {"a"}}).empty());
  EXPECT_FALSE(Filter({.container = {"a"}}).empty());
  EXPECT_FALSE(Filter({.cgroup = {"/a"}}).empty());
  EXPECT_FALSE(Filter({.unit = {"a"}}).empty());
  EXPECT_FALSE(Filter({.pid = {1}}).empty());
  EXPECT_FALSE(Filter({.vcpu = {{0, 0}}}).empty());
  EXPECT_FALSE(Filter({.reason = {"hlt"}}).empty());
}

TEST_F(FilterTest, AVmByNameOrId) {
  EXPECT_TRUE(passes({.vm = {"web"}}));
  EXPECT_TRUE(passes({.vm = {"w*"}}));
  EXPECT_TRUE(passes({.vm = {vm_.id}}));
  EXPECT_TRUE(passes({.vm = {"0b54fd9b-*"}}));
  EXPECT_FALSE(passes({.vm = {"we"}}));
  EXPECT_FALSE(passes({.vm = {"WEB"}}));
  EXPECT_TRUE(passes({.vm = {"pid:4711"}})) << "also of a VM that has a name";
  EXPECT_FALSE(passes({.vm = {"pid:471"}}));
  vm_ = identity::Vm{"pid:4711", "pid:4711", "", "unknown", 4711};
  EXPECT_TRUE(passes({.vm = {"pid:4711"}}));
}

TEST_F(FilterTest, AContainerByNameIdOrPrefixOfTwelve) {
  EXPECT_TRUE(passes({.container = {"shop-db"}}));
  EXPECT_TRUE(passes({.container = {"shop-*"}}));
  EXPECT_TRUE(passes({.container = {container_id}}));
  EXPECT_TRUE(passes({.container = {container_id.substr(0, 12)}}));
  EXPECT_FALSE(passes({.container = {container_id.substr(0, 11)}}));
  EXPECT_FALSE(passes({.container = {container_id.substr(1, 12)}}));
  EXPECT_TRUE(passes({.container = {"4c01*"}}));
}

TEST_F(FilterTest, AContainerOfAPodByEitherName) {
  unit_.name = "web-0/nginx";
  for (const char* wanted : {"web-0/nginx", "web-0/*", "nginx", "ngin?"}) {
    EXPECT_TRUE(passes({.container = {wanted}})) << wanted;
    EXPECT_TRUE(passes({.unit = {wanted}})) << wanted;
  }
  for (const char* wanted : {"web-0", "inx", ""}) {
    EXPECT_FALSE(passes({.container = {wanted}})) << wanted;
    EXPECT_FALSE(passes({.unit = {wanted}})) << wanted;
  }
  unit_ = UnitRef{UnitKind::cgroup, "/web-0/nginx", "/web-0/nginx"};
  EXPECT_FALSE(passes({.unit = {"nginx"}})) << "a part of a path is no name";
}

TEST_F(FilterTest, OnlyAContainerIsAContainer) {
  for (const UnitKind kind :
       {UnitKind::host, UnitKind::pod, UnitKind::vm, UnitKind::service, UnitKind::cgroup}) {
    unit_.kind = kind;
    EXPECT_FALSE(passes({.container = {"*"}})) << identity::to_string(kind);
    EXPECT_TRUE(passes({.unit = {"*"}})) << identity::to_string(kind);
  }
}

TEST_F(FilterTest, AUnitByNameOrIdButNotByPrefix) {
  EXPECT_TRUE(passes({.unit = {"shop-db"}}));
  EXPECT_TRUE(passes({.unit = {"*-db"}}));
  EXPECT_TRUE(passes({.unit = {container_id}}));
  EXPECT_FALSE(passes({.unit = {container_id.substr(0, 12)}}));
}

TEST_F(FilterTest, AVmByWhatItsVmmIsPartOf) {
  vm_.scope =
      identity::VmScope{identity::VmScopeKind::service, "/system.slice/vm@web.service", "vm@web.service"};
  EXPECT_TRUE(passes({.unit = {"vm@*.service"}}));
  EXPECT_TRUE(passes({.unit = {"/system.slice/vm@web.service"}}));
  EXPECT_TRUE(passes({.unit = {"shop-db"}})) << "the unit itself still";
  EXPECT_FALSE(passes({.unit = {"vm@mail.service"}}));
  EXPECT_FALSE(passes({.container = {"vm@web.service"}}));
}

TEST_F(FilterTest, ACgroupAndEverythingBelow) {
  EXPECT_TRUE(passes({.cgroup = {path_}}));
  EXPECT_TRUE(passes({.cgroup = {"/system.slice"}}));
  EXPECT_TRUE(passes({.cgroup = {"/system.slice/"}}));
  EXPECT_TRUE(passes({.cgroup = {"/system.slice///"}}));
  EXPECT_TRUE(passes({.cgroup = {"/"}}));
  EXPECT_FALSE(passes({.cgroup = {"/system.slic"}})) << "a part of a name is not a parent";
  EXPECT_FALSE(passes({.cgroup = {"/user.slice"}}));
  EXPECT_FALSE(passes({.cgroup = {path_ + "/below"}}));
  path_ = "/";
  EXPECT_TRUE(passes({.cgroup = {"/"}}));
  EXPECT_FALSE(passes({.cgroup = {"/system.slice"}}));
}

TEST_F(FilterTest, AProcessById) {
  EXPECT_TRUE(passes({.pid = {4711}}));
  EXPECT_FALSE(passes({.pid = {471}}));
}

TEST_F(FilterTest, AVcpuByItsNumber) {
  EXPECT_TRUE(passes({.vcpu = {{3, 3}}}));
  EXPECT_TRUE(passes({.vcpu = {{0, 3}}}));
  EXPECT_TRUE(passes({.vcpu = {{3, 9}}}));
  EXPECT_TRUE(passes({.vcpu = {{0, 0}, {2, 4}}}));
  EXPECT_FALSE(passes({.vcpu = {{0, 2}}}));
  EXPECT_FALSE(passes({.vcpu = {{4, 9}, {0, 0}}}));
}

TEST_F(FilterTest, AReasonByNameGlobOrNumber) {
  EXPECT_TRUE(passes({.reason = {"npf"}}));
  EXPECT_TRUE(passes({.reason = {"NPF"}}));
  EXPECT_TRUE(passes({.reason = {"n*"}}));
  EXPECT_TRUE(passes({.reason = {"0x400"}}));
  EXPECT_TRUE(passes({.reason = {"hlt", "npf"}}));
  EXPECT_FALSE(passes({.reason = {"hlt"}}));
  EXPECT_FALSE(passes({.reason = {"0"}}));
  exits_ = {
      .vcpu_id = 3, .isa = event::Isa::vmx, .reason = ISOSCOPE_REASON_FAILED_ENTRY | 33, .other = false};
  EXPECT_TRUE(passes({.reason = {"INVALID_STATE"}}));
  EXPECT_TRUE(passes({.reason = {"*(failed entry)"}}));
}

TEST_F(FilterTest, TheRowOfOthersHasNoReasonOfItsOwn) {
  exits_ = {.vcpu_id = 3, .isa = event::Isa::svm, .reason = 0, .other = true};
  EXPECT_TRUE(passes({.reason = {"other"}}));
  EXPECT_TRUE(passes({.reason = {"*"}}));
  EXPECT_FALSE(passes({.reason = {"read_cr0"}})) << "which has the number 0";
  EXPECT_FALSE(passes({.reason = {"0"}}));
  EXPECT_TRUE(passes({.vcpu = {{3, 3}}}));
}

TEST_F(FilterTest, ValuesOfOneOptionAreAlternatives) {
  EXPECT_TRUE(passes({.vm = {"mail", "web"}}));
  EXPECT_TRUE(passes({.pid = {1, 4711}}));
  EXPECT_FALSE(passes({.vm = {"mail", "dns"}}));
}

TEST_F(FilterTest, SeveralOptionsMustAllHold) {
  EXPECT_TRUE(passes(
      {.vm = {"web"}, .container = {"shop-db"}, .cgroup = {"/system.slice"}, .unit = {"*"}, .pid = {4711}}));
  EXPECT_FALSE(passes({.vm = {"web"}, .container = {"other"}}));
  EXPECT_FALSE(passes({.vm = {"mail"}, .container = {"shop-db"}}));
  EXPECT_FALSE(passes({.cgroup = {"/system.slice"}, .pid = {1}}));
  EXPECT_FALSE(passes({.vm = {"web"}, .unit = {"other"}}));
  EXPECT_TRUE(passes({.vm = {"web"}, .vcpu = {{3, 3}}, .reason = {"npf"}}));
  EXPECT_FALSE(passes({.vcpu = {{3, 3}}, .reason = {"hlt"}}));
  EXPECT_FALSE(passes({.vcpu = {{0, 0}}, .reason = {"npf"}}));
}

TEST_F(FilterTest, WhatAReportSaysNothingOfDoesNotPass) {
  const Filter::Subject nothing;
  EXPECT_FALSE(Filter({.vm = {"*"}}).passes(nothing));
  EXPECT_FALSE(Filter({.container = {"*"}}).passes(nothing));
  EXPECT_FALSE(Filter({.cgroup = {"/"}}).passes(nothing));
  EXPECT_FALSE(Filter({.unit = {"*"}}).passes(nothing));
  EXPECT_FALSE(Filter({.pid = {1}}).passes(nothing));
  EXPECT_FALSE(Filter({.vcpu = {{0, 16383}}}).passes(nothing));
  EXPECT_FALSE(Filter({.reason = {"*"}}).passes(nothing));
}

}  // namespace
}  // namespace isoscope::agent
