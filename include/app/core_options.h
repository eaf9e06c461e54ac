/* Options of core from the configuration, for the daemon and for whoever runs core without one. */
#pragma once

#include "config/config.h"
#include "core/fleet.h"
#include "core/ledger.h"

struct fleet_options core_fleet_options(const struct config *config);
/* Borrows the maintenance windows of CONFIG. */
struct watch_options core_watch_options(const struct config *config);
struct ledger_options core_ledger_options(const struct config *config);
