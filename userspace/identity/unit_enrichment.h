// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "identity/metadata_cache.h"
#include "identity/unit_registry.h"

namespace isoscope::identity {

// Between the registry and the outputs: what is reported of a unit names its parent, and a container has what
// its runtime's files say. The registry is told as well, so that every row has the name.
class UnitEnrichment {
 public:
  // The registry must outlive this.
  UnitEnrichment(UnitRegistry& registry, MetadataCache::Source source)
      : registry_(registry), cache_(std::move(source)) {}

  // Changes as the registry gave them, right after it did; with them those that follow from what was found.
  std::vector<Unit> take(std::vector<Unit> changes, std::uint64_t now_ns);

  // From time to time: what came late.
  std::vector<Unit> retry(std::uint64_t now_ns);

 private:
  std::vector<Unit> look_up(const Unit& unit, std::uint64_t now_ns);

  UnitRegistry& registry_;
  MetadataCache cache_;
};

}  // namespace isoscope::identity
