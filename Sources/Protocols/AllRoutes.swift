package import Encoding
package import Serving

/// All that the server answers. A protocol is a folder beside this file, and a line in it.
extension Array where Element == RouteGroup {
  package static func all(_ models: ServedModels) -> [RouteGroup] {
    [
      NativeRoutes(models: models).group,
      ExplorerRoutes.group,
      OperationsRoutes(models: models).group,
      OpenAIRoutes(models: models).group,
      TEIRoutes(models: models).group,
      KServeRoutes(models: models).group,
      TensorFlowServingRoutes(models: models).group,
    ]
  }
}

extension Documentation.Tag {
  /// What is the server's own.
  static let native = Self("bert-server")
}
