// What the scalar files begin with.

#pragma once

#include <math.h>
#include <string.h>

#include "../KernelSets.h"

enum { TileRows = 4, PanelColumns = 16 };
