package gen

// The instructions of AMX, of which Go's assembler has none (Intel 64 and IA-32 Architectures Software Developer's
// Manual, volume 2).
var (
	// LDTILECFG sets the shapes of the tiles, and clears them; TILERELEASE gives them up.
	LDTILECFG   = Form{Name: "LDTILECFG", ISA: "AMX-TILE", VEX: true, Map: 2, Opcode: 0x49, NoReg: true}
	TILERELEASE = Form{Name: "TILERELEASE", ISA: "AMX-TILE", VEX: true, Map: 2, Opcode: 0x49, NoReg: true}

	TILEZERO = Form{Name: "TILEZERO", ISA: "AMX-TILE", VEX: true, Map: 2, Prefix: 0xf2, Opcode: 0x49}

	// TILELOADD and TILESTORED move a tile whose rows lie the index register apart in memory.
	TILELOADD  = Form{Name: "TILELOADD", ISA: "AMX-TILE", VEX: true, Map: 2, Prefix: 0xf2, Opcode: 0x4b, SIB: true}
	TILESTORED = Form{Name: "TILESTORED", ISA: "AMX-TILE", VEX: true, Map: 2, Prefix: 0xf3, Opcode: 0x4b, SIB: true, Stores: true}

	// TDPBF16PS and TDPBSSD add to a tile of C the product of one of A, 64 bytes a row, and one of B, whose rows hold the 2
	// or 4 neighbours along k of each column.
	TDPBF16PS = Form{Name: "TDPBF16PS", ISA: "AMX-BF16", VEX: true, Map: 2, Prefix: 0xf3, Opcode: 0x5c, RMFirst: true}
	TDPBSSD   = Form{Name: "TDPBSSD", ISA: "AMX-INT8", VEX: true, Map: 2, Prefix: 0xf2, Opcode: 0x5e, RMFirst: true}
)
