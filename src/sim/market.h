/* What is traded in the simulation. */
#pragma once

#include <stdint.h>

struct market_symbol {
    const char *name;
    double price;
};

/* The symbol of the NUMBERth signal or trade. */
const struct market_symbol *market_symbol(uint64_t number);
