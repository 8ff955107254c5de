// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "abi/layout.h"
#include "agent/commands.h"
#include "agent/version_number.h"
#include "probe/discover.h"
#include "sink/json.h"
#include "sink/ndjson.h"

namespace isoscope::agent {

base::Result<base::Ok> version(const config::Config& config) {
  const kernel::Features features = probe::discover();
  const std::string libbpf = probe::libbpf_version();
  const std::string fmt_version =
      fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
  if (!config.json) {
    fmt::print("isoscope {}\nrecords {}\nABI {}\nLinux {}\nlibbpf {}\nfmt {}\n", version_number,
               sink::record_schema, ISOSCOPE_ABI_VERSION, features.release, libbpf, fmt_version);
    for (const kernel::Capability& capability : kernel::explain(features)) {
      fmt::print("{}: {}\n", capability.name, kernel::to_string(capability.state));
    }
    return base::Ok{};
  }
  sink::Json json;
  {
    sink::JsonObject object(json);
    object.text("version", version_number);
    object.text("records", sink::record_schema);
    object.number("abi", ISOSCOPE_ABI_VERSION);
    object.text("kernel", features.release);
    {
      sink::JsonObject libraries(json, "libraries");
      libraries.text("libbpf", libbpf);
      libraries.text("fmt", fmt_version);
    }
    sink::JsonObject states(json, "features");
    for (const kernel::Capability& capability : kernel::explain(features)) {
      states.text(capability.name, kernel::to_string(capability.state));
    }
  }
  fmt::print("{}\n", json.text());
  return base::Ok{};
}

}  // namespace isoscope::agent
