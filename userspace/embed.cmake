# SPDX-License-Identifier: Apache-2.0
# Writes the text of a file as C++, the value of a function that HEADER declares:
#   cmake -DINPUT=FILE -DOUTPUT=FILE.cc -DHEADER=room/name.h -DNAMESPACE=room -DFUNCTION=name -P embed.cmake
file(READ "${INPUT}" text)
file(WRITE "${OUTPUT}" "// Made from ${INPUT}.
#include \"${HEADER}\"

namespace isoscope::${NAMESPACE} {

std::string_view ${FUNCTION}() {
  return R\"text(${text})text\";
}

}  // namespace isoscope::${NAMESPACE}
")
