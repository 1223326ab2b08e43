// SPDX-License-Identifier: GPL-2.0-only
#define FUNCTION callcost_target
#define ADDS 1000
#include "costpatch.h"
