#include "market.h"

static const struct market_symbol symbols[] = {
    {"EURUSD", 1.0842}, {"GBPUSD", 1.2931}, {"USDJPY", 149.37}, {"XAUUSD", 3021.5}};

const struct market_symbol *market_symbol(uint64_t number)
{
    return &symbols[number % (sizeof(symbols) / sizeof(symbols[0]))];
}
