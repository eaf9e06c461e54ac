# mt5_embed(TARGET SYMBOL FILE): makes FILE's bytes available to TARGET as
#   extern const unsigned char SYMBOL[]; extern const size_t SYMBOL_len; extern const char SYMBOL_sha1[];
# The text ends with a NUL that SYMBOL_len does not count. Written anew whenever FILE changes.
function(mt5_embed target symbol file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${file})
  file(READ ${PROJECT_SOURCE_DIR}/${file} bytes HEX)
  file(SHA1 ${PROJECT_SOURCE_DIR}/${file} sha1)
  file(SIZE ${PROJECT_SOURCE_DIR}/${file} size)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  set(out ${PROJECT_BINARY_DIR}/embedded/${symbol}.c)
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT "/* Made from @file@. */
#include <stddef.h>
extern const unsigned char @symbol@[];
extern const size_t @symbol@_len;
extern const char @symbol@_sha1[];
const unsigned char @symbol@[] = {@bytes@0};
const size_t @symbol@_len = @size@;
const char @symbol@_sha1[] = \"@sha1@\";
")
  target_sources(${target} PRIVATE ${out})
endfunction()
