import Models

let model = try Model(folder: CommandLine.arguments[1])
let vectors = try model.vectors(of: [CommandLine.arguments[2]], .default)
print(vectors[0])
