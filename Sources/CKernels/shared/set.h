// The last file to include: the kernel set itself. Besides these names it needs the precision's
// `makeOperands`, or NULL.

#pragma once

#ifndef OWN_PRODUCT
// Rows of the product's tile; a set with a product of its own says them.
#define PRODUCT_ROWS TILE_ROWS
#endif

#ifdef WIDENED_PRODUCT
#define WIDENS_PANELS true
#else
#define WIDENS_PANELS false
#endif

#define KERNEL_SET(NAME, PRECISION, MAKE_OPERANDS) \
  {                                                \
      .name = NAME,                                \
      .precision = PRECISION,                      \
      .isSupported = isSupported,                  \
      .tileRows = PRODUCT_ROWS,                    \
      .widensPanels = WIDENS_PANELS,               \
      .panelColumns = PanelColumns,                \
      .panelSize = panelSize,                      \
      .valueSize = ValueSize,                      \
      .operandSize = operandSize,                  \
      .prepareActivation = prepareActivation,      \
      .pack = pack,                                \
      .product = product,                          \
      .makeOperands = MAKE_OPERANDS,               \
      .makeFloatOperands = makeFloatOperands,      \
      .attention = attention,                      \
      .attentionScratch = attentionScratch,        \
      .applyRotary = applyRotary,                  \
      .multiply = multiply,                        \
      .layerNorm = layerNorm,                      \
      .normalizeValues = normalizeValues,          \
      .embed = embed,                              \
      .peak = peak,                                \
      .peakOperations = PeakOperations,            \
  }
