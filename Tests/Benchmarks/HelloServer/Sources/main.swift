import Hummingbird
import Logging

// What /health/live answers, from Hummingbird: hello PORT
let router = Router()
router.get("/health/live") { _, _ in "ok" }
var logger = Logger(label: "hello")
logger.logLevel = .error
let application = Application(
  router: router,
  configuration: .init(address: .hostname("127.0.0.1", port: Int(CommandLine.arguments[1]) ?? 0)),
  logger: logger)
try await application.runService()
