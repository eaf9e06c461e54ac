/* The few macros that the house uses. */
#pragma once

#include <stddef.h>

#define ARRAY_LEN(a)               (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, mem) ((type *)(void *)((char *)(p)-offsetof(type, mem)))
#define PRINTF_LIKE(fmt, first)    __attribute__((format(printf, fmt, first)))
#define UNUSED(x)                  ((void)(x))
