// SPDX-License-Identifier: GPL-2.0-only
#define FUNCTION callcost_other
#define ADDS 3000
#include "costpatch.h"
