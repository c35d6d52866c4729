import SourceTools

typealias CrateFiles = SourceFiles
