// The version of the MCP registry's publisher, which `python -m scripts publish-server --build` builds.
module leanspec.dev/mcp-publisher

go 1.24

tool github.com/modelcontextprotocol/registry/cmd/publisher

require github.com/modelcontextprotocol/registry v1.4.0
