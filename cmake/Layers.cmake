# mt5_layer(NAME [USES layer...] [LIBS target...] [EXCLUDE file...])
#
# Builds src/NAME/*.c as the static library mt5_NAME. Its include path holds one folder per layer it
# may use, made of links, so that `#include "core/alert.h"` does not compile where it is not allowed.
function(mt5_layer name)
  cmake_parse_arguments(L "" "" "USES;LIBS;EXCLUDE" ${ARGN})

  set(root ${PROJECT_BINARY_DIR}/layers/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/include/${name} ${root}/${name} SYMBOLIC)

  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.c)
  foreach(excluded ${L_EXCLUDE})
    list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/src/${name}/${excluded})
  endforeach()

  add_library(mt5_${name} STATIC ${sources})
  target_include_directories(mt5_${name} PUBLIC ${root})
  foreach(used ${L_USES})
    target_link_libraries(mt5_${name} PUBLIC mt5_${used})
  endforeach()
  target_link_libraries(mt5_${name} PUBLIC ${L_LIBS})
endfunction()
