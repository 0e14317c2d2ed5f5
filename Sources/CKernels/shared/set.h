// The last file to include: the kernel set itself.

#define KERNEL_SET(NAME)                    \
  {                                         \
      .name = NAME,                         \
      .isSupported = isSupported,           \
      .tileRows = TILE_ROWS,                \
      .panelColumns = PanelColumns,         \
      .prepareActivation = prepareActivation, \
      .pack = pack,                         \
      .product = product,                   \
      .attention = attention,               \
      .attentionScratch = attentionScratch, \
      .layerNorm = layerNorm,               \
      .embed = embed,                       \
      .peak = peak,                         \
      .peakOperations = 2 * LANES * PeakChains, \
  }
