/* Pieces of what the commands show. */
#pragma once

#include "ctl/command.h"

/* Columns of the name in front of a value. */
#define SHOW_NAME_WIDTH 20

/* A line `NAME   TEXT`, wrapped behind the name on a terminal. TEXT is shown text. */
void show_line(struct ctl *ctl, const char *name, enum paint paint, struct slice text);
void show_heading(struct ctl *ctl, const char *title);

/* The member NAME of OBJECT as a cell, in the colour of its word. */
void show_cell(struct table *table, const cJSON *object, const char *name);
/* The same without a colour: a number, or what stands for it. */
void show_number_cell(struct table *table, const cJSON *object, const char *name);
/* A time of the API as `3 min ago`. */
void show_age_cell(const struct ctl *ctl, struct table *table, const cJSON *object, const char *name);
/* A number of milliseconds as a duration. */
void show_ms_cell(struct table *table, const cJSON *object, const char *name);

/* Appends `until 22:05 (in 30 min): reason` of an instance's maintenance, as bytes from outside. */
void show_maintenance(const struct ctl *ctl, struct buf *out, const cJSON *maintenance);
