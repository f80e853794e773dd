from xrepo_nb.engines.sql.stages.render import Renderer

RENDERERS: dict[str, Renderer] = {}
