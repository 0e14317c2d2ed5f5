import ArgumentParser
import BERT
import CPlatform
import Dispatch
import Encoding
import FoundationEssentials
import Glibc
import HTTP
import Hosting
import Models
import Protocols
import Serving
import Settings

/// The service, wired up in the order in which a request passes.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serves a model over HTTP.")

  @OptionGroup var flags: SettingFlags

  /// Event queues, files and a few connections.
  private static let leastOpenFiles = 32

  func run() throws {
    Signals.block()
    let settings: Settings
    let keySources: KeySources?
    let keys: APIKeys?
    let certificate: CertificateFiles?
    let tls: TLSContext?
    do {
      settings = try flags.resolve(environment: Environment.all)
      try Self.check(settings)
      keySources = try KeySources(settings, environment: Environment.all)
      keys = try keySources?.load()
      certificate = CertificateFiles(settings)
      tls = try certificate?.load()
    } catch {
      printError("\(error)")
      throw ExitCode(2)
    }
    let log = Log(settings)
    if keySources == nil, Environment.all[Settings.keysVariable] != nil {
      log.warning("API keys: \(Settings.keysVariable) is empty, so requests need no key")
    }
    // A connection is a descriptor: the soft limit of many systems is 1024.
    let openFiles = platform_raise_open_file_limit()
    guard openFiles >= Self.leastOpenFiles || openFiles < 0 else {
      printError(
        "the limit of open files is \(openFiles) and at least \(Self.leastOpenFiles) are needed: raise "
          + "it (ulimit -n)")
      throw ExitCode(1)
    }
    platform_return_freed_memory()
    // Before the models are read: a change from here on is noticed.
    let modelFiles = ModelFileWatch(ModelNames.distinct(settings.models).folders.map(\.path))
    let memory = MemoryBudget(limit: MemoryPlan(settings).withoutModels)
    let statistics = StatisticsSource(memory)
    let models = ServedModels()
    let service = Service(
      .all(models), limits: settings.serviceLimits, keys: keys,
      metricsAreOpen: settings.metricsAccess == .open, basePath: settings.basePath,
      compression: settings.compressedAnswers,
      crossOrigin: CrossOrigin(origins: settings.corsOrigins),
      process: ProcessFacts(
        version: version, limits: settings.publishedLimits,
        measurements: statistics.measurements + [modelFiles.measurement]),
      checkIsReady: { () throws(ServiceError) in _ = try models.all() },
      log: { log.request($0) })
    if let route = service.hiddenRoute {
      printError(
        "base_path \(settings.basePath) would hide the route \(route): choose another prefix")
      throw ExitCode(1)
    }
    let server = Server(
      host: settings.host, port: settings.port, limits: settings.serverLimits,
      ioQueueCount: settings.ioQueues, memory: memory, tls: tls, handler: service,
      log: { log.event($0) })
    statistics.watch(server)
    certificate?.watch(server, log)
    keySources?.watch(service, log)

    // The port opens before the model loads, so that whoever waits can ask how far it is.
    do {
      let address = try server.start()
      let host = address.host.contains(":") ? "[\(address.host)]" : address.host
      let scheme = tls == nil ? "http" : "https"
      write("listening on \(scheme)://\(host):\(address.port)\n", to: STDOUT_FILENO)
    } catch {
      printError("\(error)")
      throw ExitCode(1)
    }
    // A serial queue may block: it has a thread of its own while it runs.
    DispatchQueue(label: "bert-server.load").async {
      do {
        let loaded = try ModelLoader.load(
          settings.models, settings, threads: ThreadCount(setting: settings.threads), memory)
        models.ready(loaded)
        modelFiles.start(log)
        for model in loaded {
          for note in model.notes { log.warning("\(model.name): \(note.value)") }
        }
        log.info("\(loaded.map(\.name).joined(separator: ", ")) ready")
      } catch {
        printError("\(error)")
        Self.exit(1)
      }
    }

    let readAgain = {
      certificate?.renew()
      keySources?.renew()
      if certificate == nil, keySources == nil {
        log.info("SIGHUP: no certificates or API keys to reload")
      }
    }
    Signals.waitForStop(hangUp: readAgain)
    log.info(
      "shutting down after drain_seconds and the requests in flight; a second signal exits at once")
    DispatchQueue(label: "bert-server.second-signal").async {
      Signals.waitForStop(hangUp: {})
      Self.exit(130)
    }
    // An honest request that is half sent has until its body's deadline, and then until its own.
    let shutdown = Shutdown(
      models: models, server: server, grace: settings.drainTime,
      patience: settings.bodyTimeout + settings.requestTimeout + settings.writeTimeout)
    guard shutdown.run() else {
      log.error("stopped with \(server.statistics.requestsInFlight) requests unanswered")
      Self.exit(1)
    }
    log.info("stopped")
    Self.exit(0)
  }

  /// Ends the process after the log's last lines, if anybody reads them.
  private static func exit(_ status: Int32) -> Never {
    LogWriter.standardError.flush(timeout: .seconds(1))
    Glibc.exit(status)
  }

  /// What no table of settings can know: this CPU's kernel sets.
  private static func check(_ settings: Settings) throws {
    let kernels = Encoder.availableKernelSets(for: Encoder.Precision(settings.precision))
    guard settings.kernels == "auto" || kernels.contains(settings.kernels) else {
      throw LoadingError(
        "no kernel set '\(settings.kernels)' for \(settings.precision.rawValue) on this CPU; use "
          + "auto, "
          + kernels.joined(separator: ", "))
    }
  }
}
