"""Every named algorithm: which parts, which defaults, whose idea.  The signature is the schema of all doors.

`sources` and `stft` are given by whoever has the recording; everything else is a setting.
"""

from otowake.recipes.channel import complex_nmf as complex_nmf
from otowake.recipes.channel import nmf as nmf
from otowake.recipes.demixing import auxiva as auxiva
from otowake.recipes.demixing import auxiva_plus as auxiva_plus
from otowake.recipes.demixing import consistent_ilrma as consistent_ilrma
from otowake.recipes.demixing import hva as hva
from otowake.recipes.demixing import ilrma as ilrma
from otowake.recipes.demixing import overiva as overiva
from otowake.recipes.demixing import pds as pds
from otowake.recipes.full_rank import fastmnmf as fastmnmf
from otowake.recipes.full_rank import fastmnmf2 as fastmnmf2
from otowake.recipes.full_rank import mnmf as mnmf
from otowake.recipes.full_rank import rcscme as rcscme
from otowake.recipes.masks import cacgmm as cacgmm
from otowake.recipes.masks import cgmm as cgmm
from otowake.recipes.recipe import RECIPES as RECIPES
from otowake.recipes.recipe import Recipe as Recipe
from otowake.recipes.recipe import Takes as Takes
