# The target mt5_commit defines MT5_COMMIT: the commit that is being built, or "unknown" outside a checkout.
execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} rev-parse --short=12 HEAD
                OUTPUT_VARIABLE mt5_commit_id OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT mt5_commit_id)
  set(mt5_commit_id unknown)
endif()
add_library(mt5_commit INTERFACE)
target_compile_definitions(mt5_commit INTERFACE MT5_COMMIT="${mt5_commit_id}")
